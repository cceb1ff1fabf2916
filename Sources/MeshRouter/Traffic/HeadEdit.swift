import Config
import HTTP
import MeshBase

/// Header rules of one name, as they are applied: the fields that go, and the bytes of those that come.
struct HeadEdit {
  /// In small letters.
  private let removed: [[UInt8]]
  /// Whole lines.
  private let added: [UInt8]

  /// `nil`: nothing is to be done.
  init?(_ rules: Configuration.HeaderRules?) {
    guard let rules, !(rules.remove.isEmpty && rules.set.isEmpty && rules.add.isEmpty) else { return nil }
    removed = (rules.remove + rules.set.map(\.name)).map { $0.utf8.map(Ascii.lowercased) }
    added = (rules.set + rules.add).flatMap { Array("\($0.name): \($0.value)\r\n".utf8) }
  }

  /// Changes the head that lies in `buffer` from `start` to its end, which is where the next line would follow.
  func apply(to buffer: ByteBuffer, from start: Int, room: ByteBuffer) {
    if !removed.isEmpty {
      HeadText.rewrite(buffer, from: start, room: room) { line, count, out in
        if !removed.contains(where: { HeadText.isNamed(line, count, $0) }) { out.append(line) }
      }
    }
    added.withUnsafeBytes { buffer.append($0) }
  }
}
