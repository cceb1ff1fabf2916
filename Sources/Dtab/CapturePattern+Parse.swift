import MeshBase

extension CapturePattern {
  /// With `known`, a capture of any other name is an error.
  static func elements(of source: String, wildcards: Bool, known: [String]? = nil) throws(DtabError) -> [Element] {
    let bytes = Array(source.utf8)
    if bytes == [0x2f] { return [] }
    var elements: [Element] = []
    var offset = 0
    while offset < bytes.count || offset == 0 {
      guard offset < bytes.count, bytes[offset] == 0x2f else {
        throw error(bytes, offset, "expected a pattern that begins with `/`")
      }
      offset += 1
      let end = bytes[offset...].firstIndex(of: 0x2f) ?? bytes.count
      if bytes[offset..<end].elementsEqual([0x2a]) {
        guard wildcards else {
          throw error(bytes, offset, "`*` has no value here. Capture it in the pattern as `{name}` and write that.")
        }
        elements.append(.any)
        offset = end
      } else {
        elements.append(try text(of: bytes, at: &offset, known))
      }
    }
    return elements
  }

  private static func text(of bytes: [UInt8], at offset: inout Int, _ known: [String]?) throws(DtabError) -> Element {
    var literals: [[UInt8]] = [[]]
    var names: [String] = []
    let start = offset
    while offset < bytes.count, bytes[offset] != 0x2f {
      let byte = bytes[offset]
      if byte == UInt8(ascii: "{") {
        names.append(try name(in: bytes, at: &offset, known))
        literals.append([])
      } else if byte == UInt8(ascii: "\\") {
        guard offset + 3 < bytes.count, bytes[offset + 1] == UInt8(ascii: "x"),
          let high = Ascii.hexValue(bytes[offset + 2]), let low = Ascii.hexValue(bytes[offset + 3])
        else { throw error(bytes, offset, "`\\` begins an escape. Write `\\x` and two hexadecimal digits.") }
        literals[literals.count - 1].append(high << 4 | low)
        offset += 4
      } else if Label.isPlain(byte) {
        literals[literals.count - 1].append(byte)
        offset += 1
      } else {
        let found = DtabError.name(ofByteAt: offset, in: bytes)
        let advice =
          byte == UInt8(ascii: "*")
          ? "`*` stands only for a whole element." : "In a label this byte is written \(DtabError.escape(byte))."
        throw error(bytes, offset, "\(found) cannot stand in an element. \(advice)")
      }
    }
    guard offset > start else { throw error(bytes, offset, "expected an element between `/` and `/`. Remove one `/`.") }
    return .text(literals: literals, names: names)
  }

  private static func name(in bytes: [UInt8], at offset: inout Int, _ known: [String]?) throws(DtabError) -> String {
    let start = offset
    guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "}")) else {
      throw error(bytes, start, "`{` begins a capture; its `}` is missing.")
    }
    let name = String(decoding: bytes[start + 1..<end], as: UTF8.self)
    guard !name.isEmpty, name.utf8.allSatisfy({ Label.isPlain($0) && $0 != 0x23 && $0 != 0x24 && $0 != 0x25 }) else {
      throw error(bytes, start, "a capture's name is made of letters, digits, `.`, `:`, `-` and `_`.")
    }
    if let known, !known.contains(name) {
      let near = nearNames(to: name, among: known).first.map { " Did you mean {\($0)}?" } ?? ""
      throw error(bytes, start, "the pattern captures nothing named {\(name)}.\(near)")
    }
    offset = end + 1
    return name
  }

  private static func error(_ bytes: [UInt8], _ offset: Int, _ message: String) -> DtabError {
    DtabError(offset < bytes.count ? .unexpected(byte: bytes[offset]) : .unexpectedEnd, at: offset, in: bytes, message)
  }
}
