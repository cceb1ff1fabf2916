import MeshBase

/// What a VIP is called.
enum VipHost: Hashable, Sendable {
  /// An address that stands for itself; its port is 0.
  case address(SocketAddress)
  /// Made of DNS labels.
  case name(String)
}

/// A VIP as a label of a port or a task states it; a named one is then that of the framework.
struct VipLabel: Hashable, Sendable {
  var isUDP: Bool
  /// A name is without the framework's.
  var host: VipHost
  /// Never 0.
  var port: UInt16
}

extension VipLabel {
  /// Whether a port's label with this key states a VIP: `VIP_0`, `vip_…`, `VIP`.
  static func isVipKey(_ key: some StringProtocol) -> Bool { key.hasPrefix("VIP") || key.hasPrefix("vip") }

  /// The value of a port's label: split at the last colon; a strict address in front of it is itself, all else a name
  /// (`/1.2.3.4:80` too). `nil` if it has no port or no name.
  init?(portLabel value: some StringProtocol, isUDP: Bool) {
    guard let colon = value.lastIndex(of: ":"), let port = UInt16(value[value.index(after: colon)...]), port > 0 else {
      return nil
    }
    var text = String(value[..<colon])
    if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
    if let address = SocketAddress(ip: text, port: 0) {
      self.init(isUDP: isUDP, host: .address(address), port: port)
    } else {
      let name = DnsText.labels(value[..<colon])
      guard !name.isEmpty else { return nil }
      self.init(isUDP: isUDP, host: .name(name), port: port)
    }
  }

  /// The place in the task's `ports` resource that a task's label with this key is about: `vip_port0`, in any letter
  /// case.
  static func taskPortIndex(key: some StringProtocol) -> Int? {
    let bytes = key.utf8
    let prefix = "vip_port".utf8
    guard bytes.count > prefix.count, zip(bytes, prefix).allSatisfy({ Ascii.lowercased($0) == $1 }) else { return nil }
    let digits = bytes.dropFirst(prefix.count)
    guard digits.count <= 5, digits.allSatisfy(Ascii.isDigit) else { return nil }
    return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
  }

  /// The value of a task's label: `tcp://name:80` or `udp://…`.
  init?(taskLabel value: some StringProtocol) {
    for (scheme, isUDP) in [("tcp://", false), ("udp://", true)]
    where value.utf8.count > scheme.utf8.count
      && zip(value.utf8, scheme.utf8).allSatisfy({ Ascii.lowercased($0) == $1 })
    {
      let rest = value[value.utf8.index(value.utf8.startIndex, offsetBy: scheme.utf8.count)...]
      self.init(portLabel: rest, isUDP: isUDP)
      return
    }
    return nil
  }
}

/// A VIP of the cluster.
struct VipKey: Hashable, Sendable {
  var isUDP: Bool
  /// A name is the label's and the framework's: `web.marathon`.
  var host: VipHost
  var port: UInt16
}

extension VipKey {
  /// `framework` as DNS labels.
  init(_ label: VipLabel, framework: String) {
    self.init(isUDP: label.isUDP, host: label.host, port: label.port)
    if case .name(let name) = host, !framework.isEmpty { host = .name("\(name).\(framework)") }
  }

  /// The domain that names are in; requests may also use the older ones.
  static let domain = "l4lb.thisdcos.directory"
  private static let domains = [
    domain, "dclb.thisdcos.directory", "l4lb.thisdcos.global", "dclb.thisdcos.global",
  ]

  /// As somebody asks for it: an address, `name.framework` or that in one of the domains.
  init?(host text: String, port: UInt16, isUDP: Bool) {
    guard port > 0 else { return nil }
    if let address = SocketAddress(ip: text, port: 0) {
      self.init(isUDP: isUDP, host: .address(address), port: port)
      return
    }
    var name = text.lowercased()
    if name.hasSuffix(".") { name.removeLast() }
    for domain in Self.domains where name.hasSuffix("." + domain) { name.removeLast(domain.count + 1) }
    name = DnsText.labels(name)
    guard !name.isEmpty else { return nil }
    self.init(isUDP: isUDP, host: .name(name), port: port)
  }

  /// What a label must say to be of this VIP in the framework; `nil` if the name is another framework's.
  func label(inFramework framework: String) -> VipLabel? {
    switch host {
    case .address(let address): return VipLabel(isUDP: isUDP, host: .address(address), port: port)
    case .name(let name):
      guard name.utf8.count > framework.utf8.count + 1, name.hasSuffix("." + framework) else { return nil }
      return VipLabel(isUDP: isUDP, host: .name(String(name.dropLast(framework.count + 1))), port: port)
    }
  }

  /// `web.marathon` or the address.
  var hostText: String {
    switch host {
    case .address(let address): address.ip
    case .name(let name): name
    }
  }
}

extension VipKey: CustomStringConvertible {
  /// `tcp://web.marathon.l4lb.thisdcos.directory:80`, `tcp://10.77.0.5:5432`.
  var description: String {
    let text =
      switch host {
      case .address(let address): address.isIPv4 ? address.ip : "[\(address.ip)]"
      case .name(let name): "\(name).\(Self.domain)"
      }
    return "\(isUDP ? "udp" : "tcp")://\(text):\(port)"
  }
}
