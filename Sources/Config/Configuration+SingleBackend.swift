import MeshBase

extension Configuration {
  /// The file that `meshrouter run --to HOST:PORT` stands for: every request goes to that one backend.
  ///
  /// `nil` if the text is not `HOST:PORT`, `[IPv6]:PORT` or, for this host, `PORT`.
  public static func singleBackendYAML(to target: String) -> String? {
    let text = target.utf8.allSatisfy(Ascii.isDigit) ? "127.0.0.1:" + target : target
    guard let colon = text.lastIndex(of: ":") else { return nil }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
      guard let address = SocketAddress(ip: host, port: 0), !address.isIPv4 else { return nil }
    } else if host.contains(":") {
      return nil
    }
    guard let endpoint = StaticEndpoint(line: "\(host) \(text[text.index(after: colon)...])") else { return nil }
    return """
      # Every request to 127.0.0.1:4140 goes to \(target).
      routers:
      - protocol: http
        label: to
        identifier:
          kind: io.l5d.static
          path: /backend
        dtab: /svc/backend => /$/inet/\(endpoint.host)/\(endpoint.port)
        servers:
        - ip: 127.0.0.1
          port: 4140

      """
  }
}
