/// Writes JSON text (RFC 8259) front to back.
public struct JSONText {
  public private(set) var text = ""
  private var needsComma = false

  public init() {}

  public mutating func object(_ body: (inout JSONText) -> Void) { nest("{", "}", body) }

  public mutating func array<Element>(_ elements: [Element], _ body: (inout JSONText, Element) -> Void) {
    nest("[", "]") { for element in elements { body(&$0, element) } }
  }

  public mutating func key(_ name: String) {
    comma()
    string(name)
    text += ":"
    needsComma = false
  }

  public mutating func member(_ name: String, _ value: String?) {
    key(name)
    if let value { string(value) } else { text += "null" }
    needsComma = true
  }

  public mutating func member(_ name: String, _ value: UInt64?) {
    key(name)
    text += value.map(String.init) ?? "null"
    needsComma = true
  }

  public mutating func member(_ name: String, _ value: Double) {
    key(name)
    text += value.isFinite ? "\(value)" : "null"
    needsComma = true
  }

  public mutating func member(_ name: String, _ value: Bool) {
    key(name)
    text += value ? "true" : "false"
    needsComma = true
  }

  /// A string on its own, as an array's element.
  public mutating func element(_ value: String) {
    comma()
    string(value)
    needsComma = true
  }

  /// An array's element that is JSON text already.
  public mutating func element(raw value: String) {
    comma()
    text += value
    needsComma = true
  }

  /// What stands behind a key, as JSON text.
  public mutating func value(raw value: String) {
    text += value
    needsComma = true
  }

  /// A value that is JSON text already.
  public mutating func member(_ name: String, raw value: String) {
    key(name)
    text += value
    needsComma = true
  }

  private mutating func nest(_ open: String, _ close: String, _ body: (inout JSONText) -> Void) {
    comma()
    text += open
    needsComma = false
    body(&self)
    text += close
    needsComma = true
  }

  private mutating func comma() { if needsComma { text += "," } }

  private mutating func string(_ value: String) {
    text += "\""
    defer { text += "\"" }
    if value.utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
      text += value
      return
    }
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..."\u{1f}":
        let hex = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: text.unicodeScalars.append(scalar)
      }
    }
  }
}
