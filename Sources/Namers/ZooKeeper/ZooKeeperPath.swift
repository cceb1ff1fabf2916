import Dtab
import MeshBase

/// Names of nodes, from the elements of a path.
enum ZooKeeperPath {
  /// `/` or `/a/b`; `nil`: no node can have that name. Elements are UTF-8 without `/` and control characters, and neither
  /// `.` nor `..`.
  static func text(_ labels: [Label]) -> String? {
    var text = ""
    for label in labels {
      guard let name = String(validating: label.bytes, as: UTF8.self), name != ".", name != "..",
        label.bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") })
      else { return nil }
      text += "/" + name
    }
    return text.isEmpty ? "/" : text
  }
}
