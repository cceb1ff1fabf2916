import MeshBase

/// The built-in names under `/$` that need no look-up: `/$/nil`, `/$/fail` and the rewriting namers `/$/io.buoyant.*`.
public enum SystemRewrite {
  /// What the path stands for: a leaf to be bound again, `empty` for `/$/nil`, `fail` for `/$/fail`, `neg` for a path
  /// that does not fit its namer; `nil` for every other path.
  public static func rewrite(_ path: Path) -> NameTree<Path>? {
    let labels = path.labels
    guard labels.count >= 2, labels[0] == dollar else { return nil }
    switch labels[1].text {
    case "nil": return .empty
    case "fail": return .fail
    default: break
    }
    guard let form = Form(rawValue: labels[1].text) else { return nil }
    let arguments = Array(labels[2...])
    guard let (head, consumed) = form.rewrite(arguments) else { return .neg }
    return .leaf(Path(head) + path.dropFirst(2 + consumed))
  }

  /// The names of the rewriting namers, without `/$/`; for "did you mean".
  public static let names: [String] = Form.allCases.map(\.rawValue)

  private static let dollar: Label = "$"

  private enum Form: String, CaseIterable {
    case rinet = "io.buoyant.rinet"
    case hostportPfx = "io.buoyant.hostportPfx"
    case porthostPfx = "io.buoyant.porthostPfx"
    case domainToPathPfx = "io.buoyant.http.domainToPathPfx"
    case domainToPath = "io.buoyant.http.domainToPath"
    case subdomainOfPfx = "io.buoyant.http.subdomainOfPfx"
    case subdomainOf = "io.buoyant.http.subdomainOf"
    case anyMethod = "io.buoyant.http.anyMethod"
    case anyMethodPfx = "io.buoyant.http.anyMethodPfx"
    case anyHost = "io.buoyant.http.anyHost"
    case anyHostPfx = "io.buoyant.http.anyHostPfx"

    /// The labels that take the place of the first `consumed` arguments; `nil` if those do not fit.
    func rewrite(_ arguments: [Label]) -> (head: [Label], consumed: Int)? {
      let consumed =
        switch self {
        case .domainToPath, .anyMethod, .anyHost: 1
        case .subdomainOfPfx: 3
        default: 2
        }
      guard arguments.count >= consumed else { return nil }
      let last = arguments[consumed - 1]
      let head: [Label]? =
        switch self {
        case .rinet: ["$", "inet", last, arguments[0]]
        case .hostportPfx: hostAndPort(last).map { [arguments[0], $0.host, $0.port] }
        case .porthostPfx: hostAndPort(last).map { [arguments[0], $0.port, $0.host] }
        case .domainToPathPfx: reversedDomain(last).map { [arguments[0]] + $0 }
        case .domainToPath: reversedDomain(last)
        case .subdomainOfPfx: subdomain(of: arguments[0], in: last).map { [arguments[1], $0] }
        case .subdomainOf: subdomain(of: arguments[0], in: last).map { [$0] }
        case .anyMethod: isMethod(last) ? [] : nil
        case .anyMethodPfx: isMethod(last) ? [arguments[0]] : nil
        case .anyHost: isHost(last) ? [] : nil
        case .anyHostPfx: isHost(last) ? [arguments[0]] : nil
        }
      return head.map { ($0, consumed) }
    }
  }

  /// Coarse on purpose: names, IPv4, IPv6 and a port, `[A-Za-z0-9.:_-]+`.
  private static func isHost(_ label: Label) -> Bool {
    label.bytes.allSatisfy { isAlphanumeric($0) || $0 == 0x2e || $0 == 0x3a || $0 == 0x5f || $0 == 0x2d }
  }

  private static func isMethod(_ label: Label) -> Bool { label.bytes.allSatisfy { (0x41...0x5a).contains($0) } }

  /// Exactly one colon; the port is a DNS label (RFC 1123 §2.1) of at most 63 bytes in lower case, so that a port's
  /// name does as well as its number.
  private static func hostAndPort(_ label: Label) -> (host: Label, port: Label)? {
    let parts = label.bytes.split(separator: 0x3a, omittingEmptySubsequences: false)
    guard parts.count == 2, let host = Label(bytes: parts[0]), let port = Label(bytes: parts[1]) else { return nil }
    let isDNSLabel = port.bytes.allSatisfy { Ascii.isDigit($0) || (0x61...0x7a).contains($0) || $0 == 0x2d }
    return isDNSLabel && port.bytes[0] != 0x2d && port.bytes.count <= 63 ? (host, port) : nil
  }

  /// The parts between dots from the last to the first; a dot at the end counts for nothing, and an empty part would
  /// be an empty label, so the name does not fit. A port stays with its part.
  private static func reversedDomain(_ label: Label) -> [Label]? {
    guard isHost(label) else { return nil }
    var bytes = label.bytes[...]
    while bytes.last == 0x2e { bytes.removeLast() }
    let parts = bytes.split(separator: 0x2e, omittingEmptySubsequences: false).map { Label(bytes: $0) }
    return parts.contains(nil) ? nil : parts.reversed().compactMap { $0 }
  }

  /// What stands before `.domain`, the port left aside; `nil` for another domain and for the bare one.
  private static func subdomain(of domain: Label, in host: Label) -> Label? {
    guard isHost(domain), isHost(host) else { return nil }
    var bytes = host.bytes[...]
    if let colon = bytes.firstIndex(of: 0x3a), colon > 0 { bytes = bytes[..<colon] }
    let suffix = [0x2e] + domain.bytes
    guard bytes.count > suffix.count, bytes.suffix(suffix.count).elementsEqual(suffix) else { return nil }
    return Label(bytes: bytes.dropLast(suffix.count))
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    Ascii.isDigit(byte) || (0x61...0x7a).contains(Ascii.lowercased(byte))
  }
}
