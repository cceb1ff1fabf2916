import Dtab
import MeshBase

/// How paths name VIPs: `[proto/]<name>.<framework>/<port>`, and `[proto/]10.77.0.5/5432` for those that are addresses.
/// `proto` is `tcp`, unless `udp` is said.
enum VipPath {
  /// The VIP that a path begins with, and how many labels that takes.
  static func key(_ rest: Path) -> (VipKey, Int)? {
    var place = 0
    var isUDP = false
    if let first = rest.first?.text.lowercased(), first == "tcp" || first == "udp", rest.count >= 3 {
      isUDP = first == "udp"
      place = 1
    }
    guard rest.count >= place + 2, let port = UInt16(rest[place + 1].text) else { return nil }
    var host = rest[place].text
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    return VipKey(host: host, port: port, isUDP: isUDP).map { ($0, place + 2) }
  }

  /// The one path behind a namer's prefix that all paths for this VIP lead to.
  static func id(_ prefix: Path, _ key: VipKey) -> Path {
    let path = key.isUDP ? prefix.appending("udp") : prefix
    return path.appending(Label(key.hostText)).appending(Label("\(key.port)"))
  }
}
