import Dtab
import MeshBase

/// A dtab as JSON: `[{"prefix":"/svc","dst":"/#/io.l5d.fs"}]`.
enum DtabJSON {
  static func write(_ dtab: Dtab, to json: inout JSONText) {
    json.array(dtab.entries) { json, entry in
      json.object {
        $0.member("prefix", entry.prefix.description)
        $0.member("dst", entry.tree.description)
      }
    }
  }

  /// The same dtab as text, an entry a line. Throws 400 with the place.
  static func text(_ bytes: [UInt8]) throws(AdminFailure) -> String {
    var reader = JSONReader(bytes)
    var lines: [String] = []
    try reader.array { (reader: inout JSONReader) throws(AdminFailure) in
      var entry: [String: String] = [:]
      try reader.object { (reader: inout JSONReader, name) throws(AdminFailure) in
        guard name == "prefix" || name == "dst" else {
          throw reader.failure("an entry has `prefix` and `dst`, but no `\(name)`")
        }
        entry[name] = try reader.string()
      }
      guard let prefix = entry["prefix"], let dst = entry["dst"] else {
        throw reader.failure("an entry needs both `prefix` and `dst`")
      }
      do throws(DtabError) {
        // Checked apart, so that no part of one entry becomes another.
        _ = try PathPrefix(parsing: prefix)
        _ = try Dentry(parsing: "/x => \(dst)")
      } catch {
        throw AdminFailure(400, "entry \(lines.count + 1), \(prefix) => \(dst): \(error.message)")
      }
      lines.append("\(prefix) => \(dst) ;\n")
    }
    try reader.end()
    return lines.joined()
  }
}

/// Reads as much of JSON (RFC 8259) as a dtab needs: arrays, objects and strings.
private struct JSONReader {
  private let bytes: [UInt8]
  private var index = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func failure(_ message: String) -> AdminFailure {
    AdminFailure(400, "the JSON body, byte \(index): \(message)")
  }

  private mutating func peek() -> UInt8? {
    while index < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[index]) { index += 1 }
    return index < bytes.count ? bytes[index] : nil
  }

  private mutating func expect(_ byte: UInt8) throws(AdminFailure) {
    guard peek() == byte else { throw failure("expected `\(Character(Unicode.Scalar(byte)))`") }
    index += 1
  }

  mutating func end() throws(AdminFailure) { if peek() != nil { throw failure("nothing may follow the array") } }

  mutating func array(_ element: (inout JSONReader) throws(AdminFailure) -> Void) throws(AdminFailure) {
    try list(UInt8(ascii: "["), UInt8(ascii: "]"), element)
  }

  mutating func object(_ member: (inout JSONReader, String) throws(AdminFailure) -> Void) throws(AdminFailure) {
    try list(UInt8(ascii: "{"), UInt8(ascii: "}")) { (reader: inout JSONReader) throws(AdminFailure) in
      let name = try reader.string()
      try reader.expect(UInt8(ascii: ":"))
      try member(&reader, name)
    }
  }

  private mutating func list(
    _ open: UInt8, _ close: UInt8, _ item: (inout JSONReader) throws(AdminFailure) -> Void
  ) throws(AdminFailure) {
    try expect(open)
    if peek() == close {
      index += 1
      return
    }
    while true {
      try item(&self)
      guard let byte = peek(), byte == UInt8(ascii: ",") || byte == close else {
        throw failure("expected `,` or `\(Character(Unicode.Scalar(close)))`")
      }
      index += 1
      if byte == close { return }
    }
  }

  mutating func string() throws(AdminFailure) -> String {
    try expect(UInt8(ascii: "\""))
    var text: [UInt8] = []
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let valid = String(validating: text, as: UTF8.self) else { throw failure("a string is not UTF-8") }
        return valid
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0..<0x20: throw failure("a control character in a string must be escaped")
      default: text.append(byte)
      }
    }
    throw failure("a string has no end")
  }

  private mutating func escape(into text: inout [UInt8]) throws(AdminFailure) {
    guard index < bytes.count else { throw failure("a string has no end") }
    let byte = bytes[index]
    index += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "u"):
      guard index + 4 <= bytes.count,
        let code = UInt32(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16),
        let scalar = Unicode.Scalar(code)
      else { throw failure("expected \\u and four hexadecimal digits of a character, no surrogate") }
      index += 4
      text += Array(String(Character(scalar)).utf8)
    default: throw failure("there is no escape \\\(Character(Unicode.Scalar(byte)))")
    }
  }
}
