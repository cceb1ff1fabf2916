import MeshBase

/// The form of a namespace's history on disk: one record for each change, appended, readable with `less`.
///
/// ```
/// @ 7 61 5d0c1f3e            version, bytes of the body, CRC-32 of "7 61 " and the body
/// kind changed               the body: fields, an empty line, the text
/// time 1764000000000000000
/// author alice
/// reason canary
///
/// /svc => /#/io.l5d.fs
/// ```
/// and a line feed behind the body. A crash may leave a torn record at the end; whatever does not check is skipped.
enum HistoryLog {
  static func encode(_ change: DtabChange) -> [UInt8] {
    var body = "kind \(change.kind.rawValue)\ntime \(change.wallNanoseconds)\n"
    if let source = change.source { body += "source \(source)\n" }
    if !change.authorship.author.isEmpty { body += "author \(change.authorship.author)\n" }
    if !change.authorship.reason.isEmpty { body += "reason \(change.authorship.reason)\n" }
    body += "\n"
    body += change.text
    let bytes = Array(body.utf8)
    let sealed = "\(change.version) \(bytes.count) "
    let crc = String(Crc32.of(Array(sealed.utf8)[...], bytes[...]), radix: 16)
    return Array("@ \(sealed)\(crc)\n".utf8) + bytes + [0x0a]
  }

  struct Contents {
    /// With versions strictly ascending.
    var changes: [DtabChange] = []
    /// Where the last good record ends.
    var end = 0
    /// Bytes that belong to no good record, the tail behind `end` excluded.
    var damagedBytes = 0
    /// Bytes behind `end`.
    var tornBytes = 0
  }

  static func decode(_ bytes: [UInt8]) -> Contents {
    var contents = Contents()
    var offset = 0
    while offset < bytes.count {
      if let (change, end) = record(in: bytes, at: offset) {
        contents.damagedBytes += offset - contents.end
        contents.end = end
        offset = end
        if change.version > contents.changes.last?.version ?? 0 { contents.changes.append(change) }
      } else {
        offset = nextMark(in: bytes, after: offset)
      }
    }
    contents.tornBytes = bytes.count - contents.end
    return contents
  }

  /// The next place where a record might begin; its checksum tells whether one does.
  private static func nextMark(in bytes: [UInt8], after offset: Int) -> Int {
    var offset = offset + 1
    while let mark = bytes[offset...].firstIndex(of: 0x40) {
      if bytes[mark...].starts(with: [0x40, 0x20]) { return mark }
      offset = mark + 1
    }
    return bytes.count
  }

  private static func record(in bytes: [UInt8], at start: Int) -> (DtabChange, end: Int)? {
    // The longest head is two numbers of 20 digits and a checksum of 8.
    let head = bytes[start...].prefix(64).prefix { $0 != 0x0a }
    let words = head.split(separator: 0x20, omittingEmptySubsequences: false)
    guard words.count == 4, words[0].elementsEqual([0x40]), let version = UInt64(text(words[1])), version > 0,
      let count = Int(text(words[2])), count >= 0, let crc = UInt32(text(words[3]), radix: 16)
    else { return nil }
    let bodyStart = head.endIndex + 1
    guard bodyStart <= bytes.count, count < bytes.count - bodyStart, bytes[bodyStart + count] == 0x0a else {
      return nil
    }
    let body = bytes[bodyStart..<bodyStart + count]
    guard Crc32.of(Array("\(version) \(count) ".utf8)[...], body) == crc else { return nil }
    guard let change = change(version, body) else { return nil }
    return (change, bodyStart + count + 1)
  }

  private static func change(_ version: UInt64, _ body: ArraySlice<UInt8>) -> DtabChange? {
    var fields: [String: String] = [:]
    var rest = body
    while true {
      let line = rest.prefix { $0 != 0x0a }
      guard line.endIndex < body.endIndex else { return nil }
      rest = body[(line.endIndex + 1)...]
      if line.isEmpty { break }
      let name = line.prefix { $0 != 0x20 }
      fields[text(name)] = text(line.dropFirst(name.count + 1))
    }
    guard let kind = fields["kind"].flatMap(DtabChange.Kind.init), let time = fields["time"].flatMap({ UInt64($0) })
    else { return nil }
    return DtabChange(
      version: version, kind: kind, source: fields["source"].flatMap { UInt64($0) }, text: text(rest),
      authorship: Authorship(author: fields["author"] ?? "", reason: fields["reason"] ?? ""), wallNanoseconds: time)
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
