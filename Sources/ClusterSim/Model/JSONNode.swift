import MeshBase

/// JSON as a tree that keeps what it was read from: members in their order, numbers as their text.
public indirect enum JSONNode: Sendable, Equatable {
  public struct Member: Sendable, Equatable {
    public var name: String
    public var value: JSONNode

    public init(_ name: String, _ value: JSONNode) {
      self.name = name
      self.value = value
    }
  }

  case null
  case bool(Bool)
  case number(String)
  case string(String)
  case array([JSONNode])
  case object([Member])

  public subscript(_ name: String) -> JSONNode? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  public var text: String? {
    if case .string(let text) = self { return text }
    return nil
  }

  public var integer: Int? {
    guard case .number(let text) = self else { return nil }
    return Int(text) ?? Double(text).flatMap { Int(exactly: $0) }
  }

  public var real: Double? {
    guard case .number(let text) = self else { return nil }
    return Double(text)
  }

  public var flag: Bool? {
    if case .bool(let value) = self { return value }
    return nil
  }

  /// Empty for anything but an array.
  public var elements: [JSONNode] {
    if case .array(let elements) = self { return elements }
    return []
  }

  /// Empty for anything but an object.
  public var members: [Member] {
    if case .object(let members) = self { return members }
    return []
  }

  /// Compact JSON text.
  public var json: String {
    switch self {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .number(let text): return text
    case .string(let text):
      var json = JSONText()
      json.element(text)
      return json.text
    case .array(let elements):
      var json = JSONText()
      json.array(elements) { $0.element(raw: $1.json) }
      return json.text
    case .object(let members):
      var json = JSONText()
      json.object { json in for member in members { json.member(member.name, raw: member.value.json) } }
      return json.text
    }
  }
}

/// Where a text is not JSON.
public struct JSONNodeError: Error, CustomStringConvertible {
  public let offset: Int
  public var description: String { "not JSON at byte \(offset)" }
}

extension JSONNode {
  private static let depthMax = 128

  /// Parses one value with nothing behind it but blanks.
  public init(parsing bytes: [UInt8]) throws(JSONNodeError) {
    var reader = Reader(bytes: bytes)
    self = try reader.value(depth: 0)
    reader.skipBlanks()
    guard reader.offset == bytes.count else { throw JSONNodeError(offset: reader.offset) }
  }

  private struct Reader {
    let bytes: [UInt8]
    var offset = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var byte: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    mutating func skipBlanks() { while let byte, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { offset += 1 } }

    func failure() -> JSONNodeError { JSONNodeError(offset: offset) }

    mutating func take(_ wanted: UInt8) throws(JSONNodeError) {
      skipBlanks()
      guard byte == wanted else { throw failure() }
      offset += 1
    }

    /// Whether the next byte is this one, which is taken then.
    mutating func takes(_ wanted: UInt8) -> Bool {
      skipBlanks()
      guard byte == wanted else { return false }
      offset += 1
      return true
    }

    mutating func word(_ text: StaticString, _ node: JSONNode) throws(JSONNodeError) -> JSONNode {
      for index in 0..<text.utf8CodeUnitCount {
        guard byte == text.utf8Start[index] else { throw failure() }
        offset += 1
      }
      return node
    }

    mutating func value(depth: Int) throws(JSONNodeError) -> JSONNode {
      skipBlanks()
      guard let byte, depth < JSONNode.depthMax else { throw failure() }
      switch byte {
      case UInt8(ascii: "{"):
        offset += 1
        var members: [Member] = []
        if takes(UInt8(ascii: "}")) { return .object([]) }
        repeat {
          let name = try string()
          try take(UInt8(ascii: ":"))
          members.append(Member(name, try value(depth: depth + 1)))
        } while takes(UInt8(ascii: ","))
        try take(UInt8(ascii: "}"))
        return .object(members)
      case UInt8(ascii: "["):
        offset += 1
        var elements: [JSONNode] = []
        if takes(UInt8(ascii: "]")) { return .array([]) }
        repeat { elements.append(try value(depth: depth + 1)) } while takes(UInt8(ascii: ","))
        try take(UInt8(ascii: "]"))
        return .array(elements)
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "t"): return try word("true", .bool(true))
      case UInt8(ascii: "f"): return try word("false", .bool(false))
      case UInt8(ascii: "n"): return try word("null", .null)
      default:
        let start = offset
        while let byte = self.byte, Ascii.isDigit(byte) || "+-.eE".utf8.contains(byte) { offset += 1 }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        guard Double(text) != nil else { throw JSONNodeError(offset: start) }
        return .number(text)
      }
    }

    mutating func string() throws(JSONNodeError) -> String {
      try take(UInt8(ascii: "\""))
      var units: [UInt8] = []
      while let byte {
        offset += 1
        switch byte {
        case UInt8(ascii: "\""): return String(decoding: units, as: UTF8.self)
        case UInt8(ascii: "\\"): units += try escape().utf8
        default: units.append(byte)
        }
      }
      throw failure()
    }

    private mutating func escape() throws(JSONNodeError) -> String {
      guard let byte else { throw failure() }
      offset += 1
      switch byte {
      case UInt8(ascii: "n"): return "\n"
      case UInt8(ascii: "r"): return "\r"
      case UInt8(ascii: "t"): return "\t"
      case UInt8(ascii: "b"): return "\u{8}"
      case UInt8(ascii: "f"): return "\u{c}"
      case UInt8(ascii: "u"):
        var units = [try codeUnit()]
        if units[0] & 0xfc00 == 0xd800, byteIsEscape {
          offset += 2
          units.append(try codeUnit())
        }
        return String(decoding: units, as: UTF16.self)
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return String(UnicodeScalar(byte))
      default: throw failure()
      }
    }

    private var byteIsEscape: Bool {
      offset + 1 < bytes.count && bytes[offset] == UInt8(ascii: "\\") && bytes[offset + 1] == UInt8(ascii: "u")
    }

    private mutating func codeUnit() throws(JSONNodeError) -> UInt16 {
      var unit: UInt16 = 0
      for _ in 0..<4 {
        guard let byte, let digit = Ascii.hexValue(byte) else { throw failure() }
        unit = unit << 4 | UInt16(digit)
        offset += 1
      }
      return unit
    }
  }
}
