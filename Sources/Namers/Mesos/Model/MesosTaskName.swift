import MeshBase
import Net

/// What mesos-dns calls a single task: the name it shares with others, five characters of its id's hash, and the end of its
/// agent's id, joined by `-`: `web-shop-ebw6z-s1`.
struct MesosTaskName: Hashable, Sendable {
  /// As `MesosDnsName` has it: mangled, or with dots.
  var base: String
  var hash: String
  var agent: String

  /// `nil`: there are no three parts, or the middle one is no hash.
  init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 3, let agent = parts.last, !agent.isEmpty else { return nil }
    hash = String(parts[parts.count - 2])
    guard hash.utf8.count == Self.hashLength, hash.utf8.allSatisfy(Self.alphabet.contains) else { return nil }
    self.agent = String(agent)
    base = parts.dropLast(2).joined(separator: "-")
    if base.isEmpty { return nil }
  }

  private static let hashLength = 5
  private static let alphabet = Array("ybndrfg8ejkmcpqxot1uwisza345h769".utf8)

  /// The first characters of the id's SHA-1 in z-base-32.
  static func hash(of id: String) -> String {
    let digest = Sha1.digest(Array(id.utf8))
    return zBase32(digest[..<4], characters: hashLength)
  }

  /// Five bits a character, the highest first; `bytes` are at least as many as that takes.
  static func zBase32(_ bytes: some Collection<UInt8>, characters: Int) -> String {
    var bits: UInt64 = 0
    for byte in bytes { bits = bits << 8 | UInt64(byte) }
    let width = bytes.count * 8
    let text = (0..<characters).map { place -> UInt8 in
      let shift = width - 5 * (place + 1)
      return alphabet[Int((shift >= 0 ? bits >> UInt64(shift) : bits << UInt64(-shift)) & 31)]
    }
    return String(decoding: text, as: UTF8.self)
  }

  func names(_ task: MesosTask) -> Bool {
    let tail = task.agent.id.split(separator: "-").last ?? ""
    return tail.lowercased() == agent && Self.hash(of: task.id) == hash
  }
}
