/// A machine that runs tasks.
public struct SimAgent: Sendable, Equatable {
  /// Of the master's numbering, `...-S<number>`.
  public var number: Int
  public var id: String
  /// What Marathon calls the `host` of a task: a name or an address.
  public var hostname: String
  public var ip: String
  /// Known to the present master; an agent that has not come back after a failover is listed as recovered.
  public var isRegistered = true
  /// Cut off: its tasks are unreachable and nothing is launched on it.
  public var isLost = false

  public init(number: Int, id: String, hostname: String, ip: String) {
    self.number = number
    self.id = id
    self.hostname = hostname
    self.ip = ip
  }
}

/// A scheduler that is registered with the master.
public struct SimFramework: Sendable, Equatable {
  public var id: String
  public var name: String
  public var hostname: String
  /// Speaks the HTTP API to the master, and so has no `pid`.
  public var isHTTP = false

  public init(id: String, name: String, hostname: String = "master-1.cluster.example", isHTTP: Bool = false) {
    self.id = id
    self.name = name
    self.hostname = hostname
    self.isHTTP = isHTTP
  }
}
