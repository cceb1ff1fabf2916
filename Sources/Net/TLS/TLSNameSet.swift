import MeshBase

/// The names a certificate is good for; answers for one name without allocating.
///
/// RFC 6125 §6.4.3 in its strict form: a wildcard is the whole left-most label and stands for exactly one.
public struct TLSNameSet: Sendable, Equatable {
  /// In lower case, without a dot at the end; wildcards as `*.example.com`.
  let names: [[UInt8]]

  init(_ names: [String]) {
    self.names = names.map { name in
      var bytes = name.utf8.map(Ascii.lowercased)
      if bytes.last == 0x2e { bytes.removeLast() }
      return bytes
    }
  }

  enum Match { case exact, wildcard }

  /// `host` is a name or an address, without port or brackets, in any case; a dot at its end means nothing.
  public func covers(_ host: UnsafeRawBufferPointer) -> Bool { match(host) != nil }

  func match(_ host: UnsafeRawBufferPointer) -> Match? {
    var host = host
    if host.last == 0x2e { host = UnsafeRawBufferPointer(rebasing: host.dropLast()) }
    if host.isEmpty { return nil }
    var best: Match?
    for name in names {
      if name.count >= 2, name[0] == 0x2a, name[1] == 0x2e {
        // "*.a.b": what stands behind the host's first label.
        guard let dot = host.firstIndex(of: 0x2e), dot > 0 else { continue }
        if Self.equal(name, from: 1, host, from: dot) { best = .wildcard }
      } else if Self.equal(name, from: 0, host, from: 0) {
        return .exact
      }
    }
    return best
  }

  public func covers(_ host: String) -> Bool {
    var host = host
    return host.withUTF8 { covers(UnsafeRawBufferPointer($0)) }
  }

  private static func equal(_ name: [UInt8], from a: Int, _ host: UnsafeRawBufferPointer, from b: Int) -> Bool {
    guard name.count - a == host.count - b else { return false }
    for index in 0..<(name.count - a) where name[a + index] != Ascii.lowercased(host[b + index]) { return false }
    return true
  }
}

/// Which client certificates may come in, by their names.
struct TLSAllowList: Sendable, Equatable {
  private let hosts: TLSNameSet
  private let exact: Set<String>
  /// What a URI must begin with: patterns that end in `/*`.
  private let prefixes: [String]

  /// DNS names (`*.example.com` for one label), URIs (`spiffe://mesh/*` for all below) and addresses.
  init(_ names: [String]) {
    hosts = TLSNameSet(names.filter { !$0.contains("://") })
    exact = Set(names.filter { $0.contains("://") && !$0.hasSuffix("/*") })
    prefixes = names.filter { $0.contains("://") && $0.hasSuffix("/*") }.map { String($0.dropLast()) }
  }

  func allows(_ certificate: TLSCertificate) -> Bool {
    certificate.hostNames.contains { hosts.covers($0) }
      || certificate.uris.contains { uri in exact.contains(uri) || prefixes.contains { uri.hasPrefix($0) } }
  }
}
