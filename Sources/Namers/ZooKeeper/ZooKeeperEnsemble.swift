import MeshBase

/// Which ZooKeeper servers to ask, where in their tree, and who we are.
public struct ZooKeeperEnsemble: Hashable, Sendable, CustomStringConvertible {
  public struct Server: Hashable, Sendable, CustomStringConvertible {
    /// An address without brackets, or a host name.
    public var host: String
    public var port: UInt16

    public init(host: String, port: UInt16 = ZooKeeperEnsemble.defaultPort) {
      self.host = host
      self.port = port
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
  }

  public struct Credentials: Hashable, Sendable {
    public var user: String
    public var password: String

    public init(user: String, password: String) {
      self.user = user
      self.password = password
    }

    /// Reads `USER:PASSWORD`. `nil`: there is no colon, or nothing before it.
    public init?(_ text: some StringProtocol) {
      guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else { return nil }
      self.init(user: String(text[..<colon]), password: String(text[text.index(after: colon)...]))
    }
  }

  public static let defaultPort: UInt16 = 2_181

  /// At least one.
  public var servers: [Server]
  /// Stands before each path; empty, or begins with `/` and does not end with one.
  public var root: String
  /// Of the `digest` scheme.
  public var credentials: Credentials?

  public init(servers: [Server], root: String = "", credentials: Credentials? = nil) {
    precondition(!servers.isEmpty, "an ensemble has servers")
    self.servers = servers
    self.root = root
    self.credentials = credentials
  }

  /// Without the credentials.
  public var description: String { servers.map(\.description).joined(separator: ",") + root }
}

extension ZooKeeperEnsemble {
  /// What is wrong with a text that should name an ensemble, and what to write.
  public struct Malformed: Error, CustomStringConvertible, Sendable {
    public let description: String
  }

  /// Reads `zk://[USER:PASSWORD@]HOST[:PORT],…/PATH`, as Mesos and Marathon are told it, or the same without `zk://`.
  public init(parsing text: String) throws(Malformed) {
    var rest = text[...]
    if rest.hasPrefix("zk://") { rest = rest.dropFirst(5) }
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    var root = rest[slash...]
    rest = rest[..<slash]
    while root.hasSuffix("/") { root.removeLast() }
    guard !root.contains("//") else {
      throw Malformed(description: "\"\(root)\" has an empty element; write a path such as /mesos")
    }
    var credentials: Credentials?
    if let at = rest.lastIndex(of: "@") {
      credentials = Credentials(rest[..<at])
      if credentials == nil { throw Malformed(description: "before the \"@\" stands USER:PASSWORD") }
      rest = rest[rest.index(after: at)...]
    }
    var servers: [Server] = []
    for part in rest.split(separator: ",", omittingEmptySubsequences: false) {
      servers.append(try Self.server(part))
    }
    self.init(servers: servers, root: String(root), credentials: credentials)
  }

  private static func server(_ text: Substring) throws(Malformed) -> Server {
    var host = text
    var port = defaultPort
    // The colons of an address without brackets are its own.
    let isBareIPv6 = SocketAddress(ip: String(text), port: 0)?.isIPv4 == false
    if !isBareIPv6, let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") {
      guard let number = UInt16(text[text.index(after: colon)...]), number > 0 else {
        throw Malformed(description: "\"\(text)\" has no port from 1 to 65535 behind the \":\"")
      }
      host = text[..<colon]
      port = number
    }
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    guard SocketAddress(ip: String(host), port: 0) != nil || Resolver.isHostName(String(host)) else {
      throw Malformed(description: "\"\(text)\" is not HOST:PORT, such as zk1.example:2181")
    }
    return Server(host: String(host), port: port)
  }
}
