import MeshBase

/// One server of a cluster manager, as it is written: `10.0.0.1:8080`, `http://m1.example:8080`, `https://[::1]`.
public struct ClusterHost: Hashable, Sendable, CustomStringConvertible {
  /// A name or an address, without brackets.
  public var host: String
  public var port: UInt16
  public var isSecure: Bool

  public init(host: String, port: UInt16, isSecure: Bool = false) {
    self.host = host
    self.port = port
    self.isSecure = isSecure
  }

  /// Reads `host`, `host:port`, or either behind `http://` or `https://`; a path is not part of it. `nil`: it is none.
  ///
  /// - Parameter defaultPort: where none is written and the scheme is none or `http`; `https` has 443.
  public init?(_ text: String, defaultPort: UInt16 = 80, isSecure: Bool = false) {
    var rest = Substring(text)
    var secure = isSecure
    var port = defaultPort
    let lowered = text.lowercased()
    if lowered.hasPrefix("https://") {
      rest = rest.dropFirst(8)
      secure = true
      port = 443
    } else if lowered.hasPrefix("http://") {
      rest = rest.dropFirst(7)
      secure = false
    }
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    guard let (host, written) = Self.split(rest) else { return nil }
    self.init(host: host, port: written ?? port, isSecure: secure)
  }

  private static func split(_ text: Substring) -> (host: String, port: UInt16?)? {
    if text.hasPrefix("[") {
      guard let close = text.firstIndex(of: "]") else { return nil }
      let host = String(text[text.index(after: text.startIndex)..<close])
      guard SocketAddress(ip: host, port: 0) != nil else { return nil }
      let rest = text[text.index(after: close)...]
      if rest.isEmpty { return (host, nil) }
      guard rest.hasPrefix(":"), let port = UInt16(rest.dropFirst()), port > 0 else { return nil }
      return (host, port)
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let host = String(parts.first ?? "")
    guard parts.count <= 2, SocketAddress(ip: host, port: 0) != nil || Resolver.isHostName(host) else { return nil }
    if parts.count == 1 { return (host, nil) }
    guard let port = UInt16(parts[1]), port > 0 else { return nil }
    return (host, port)
  }

  /// As in a Host field: with brackets, and the port unless it is the scheme's own.
  public var authority: String {
    let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
    return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
  }

  public var description: String { (isSecure ? "https://" : "http://") + authority }
}

extension ClusterHost {
  /// Where a `Location` leads from a request to this host: an absolute URL, one without scheme (`//host:port/path`, as
  /// Mesos masters write it), or a path. `nil`: nowhere that HTTP goes.
  func following(_ location: String) -> (host: ClusterHost, path: String)? {
    var text = Substring(location)
    if let mark = text.firstIndex(of: "#") { text = text[..<mark] }
    if text.hasPrefix("/") && !text.hasPrefix("//") { return (self, String(text)) }
    let lowered = text.lowercased()
    var secure = isSecure
    if lowered.hasPrefix("https://") {
      text = text.dropFirst(8)
      secure = true
    } else if lowered.hasPrefix("http://") {
      text = text.dropFirst(7)
      secure = false
    } else if text.hasPrefix("//") {
      text = text.dropFirst(2)
    } else {
      return nil
    }
    let end = text.firstIndex { $0 == "/" || $0 == "?" } ?? text.endIndex
    let port: UInt16 = secure ? 443 : 80
    guard let host = ClusterHost(String(text[..<end]), defaultPort: port, isSecure: secure) else { return nil }
    let path = String(text[end...])
    return (host, path.hasPrefix("/") ? path : "/" + path)
  }
}
