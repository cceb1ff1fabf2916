import MeshBase

/// Why a path, prefix, name tree or dtab cannot be read: the place, what was expected there, and what to do.
public struct DtabError: Error, Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// This byte does not fit here.
    case unexpected(byte: UInt8)
    /// The text ends too early.
    case unexpectedEnd
    /// `\` without `x` and two hexadecimal digits.
    case badEscape
    /// A weight that is no number of digits with at most one dot, or is too large.
    case badWeight
    /// More parentheses inside each other than `nestingMax`.
    case nestedTooDeeply
  }

  /// Parentheses inside each other that a text may have; no real table comes near.
  public static let nestingMax = 64

  public let kind: Kind
  /// In bytes from the start of the text.
  public let offset: Int
  /// From 1.
  public let line: Int
  /// From 1, in characters (Unicode scalars) from the start of the line.
  public let column: Int
  /// One sentence or two, without the place: what was expected, what was found, and the remedy where there is one.
  public let message: String

  init(_ kind: Kind, at offset: Int, in source: [UInt8], _ message: String) {
    self.kind = kind
    self.offset = offset
    let lineStart = (source[..<offset].lastIndex(of: 0x0a) ?? -1) + 1
    line = 1 + source[..<lineStart].count { $0 == 0x0a }
    column = 1 + source[lineStart..<offset].count { $0 & 0xc0 != 0x80 }
    self.message = message
  }
}

extension DtabError: CustomStringConvertible {
  public var description: String { "line \(line), column \(column): \(message)" }

  /// Longest stretch of a source line that `caret(in:)` shows, in characters.
  static let caretWidth = 100

  /// The line of the source with the error and, below it, a caret under the place; of a long line only the
  /// surroundings. `source` must be the text that was parsed.
  public func caret(in source: some StringProtocol) -> String {
    let lines = source.utf8.split(separator: 0x0a, omittingEmptySubsequences: false)
    guard line <= lines.count else { return "" }
    var text = String(decoding: lines[line - 1], as: UTF8.self).unicodeScalars.map { $0 }
    if text.last == "\r" { text.removeLast() }
    var place = column - 1
    if text.count > Self.caretWidth {
      let start = min(max(0, place - Self.caretWidth / 2), text.count - Self.caretWidth)
      let end = start + Self.caretWidth
      let (cutFront, cutBack) = (start > 0, end < text.count)
      text = Array(text[start..<end])
      place -= start
      if cutFront {
        text.insert("…", at: 0)
        place += 1
      }
      if cutBack { text.append("…") }
    }
    var shown = String.UnicodeScalarView()
    // A control character would move the cursor and so the caret; tabs are kept and repeated below.
    shown.append(contentsOf: text.map { $0 != "\t" && $0.value < 0x20 || $0.value == 0x7f ? "\u{fffd}" : $0 })
    var below = String.UnicodeScalarView()
    below.append(contentsOf: text.prefix(place).map { $0 == "\t" ? "\t" : " " })
    return String(shown) + "\n" + String(below) + "^"
  }
}

extension DtabError {
  /// A byte, or the character it begins, as it is shown in a message.
  static func name(ofByteAt offset: Int, in source: [UInt8]) -> String {
    let byte = source[offset]
    switch byte {
    case 0x0a: return "the end of the line"
    case 0x20: return "a blank"
    case 0x09: return "a tab"
    case 0x21...0x7e: return "`\(Character(Unicode.Scalar(byte)))`"
    case 0..<0x80: return "the control character \(escape(byte))"
    default:
      let character = String(decoding: source[offset..<min(source.count, offset + 4)], as: UTF8.self).unicodeScalars
        .first!
      return character == "\u{fffd}" ? "the byte \(escape(byte))" : "`\(character)`"
    }
  }

  static func escape(_ byte: UInt8) -> String {
    let digits = [Ascii.hexDigit(byte >> 4), Ascii.hexDigit(byte & 15)]
    return "`\\x" + String(decoding: digits, as: UTF8.self) + "`"
  }
}
