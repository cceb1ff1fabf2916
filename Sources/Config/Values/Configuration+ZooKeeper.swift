extension Configuration {
  /// A host and a port, as linkerd's lists of servers have them.
  public struct HostAndPort: Sendable, Equatable {
    /// A literal address or a host name, without brackets.
    public var host = ""
    public var port: Int

    public init(host: String = "", port: Int) {
      self.host = host
      self.port = port
    }
  }
}

extension Configuration.Namer {
  /// Which ZooKeeper servers to ask, of `io.l5d.serversets` and `io.l5d.zkLeader`.
  public struct ZooKeeper: Sendable, Equatable {
    /// At least one.
    public var servers: [Configuration.HostAndPort] = []
    /// The node below which names begin; `nil`: the root.
    public var root: String?
    /// `USER:PASSWORD` of the digest scheme.
    public var credentials: String?
    public var sessionTimeoutMilliseconds = 10_000

    public init() {}
  }

  /// Services by SRV records.
  public struct DnsService: Sendable, Equatable {
    /// Asked for at least this often.
    public var refreshIntervalSeconds = 5
    /// `IP` or `IP:PORT`; empty: those of the host.
    public var dnsHosts: [String] = []
    /// Stands behind names that do not end with a dot.
    public var domain: String?

    public init() {}
  }
}
