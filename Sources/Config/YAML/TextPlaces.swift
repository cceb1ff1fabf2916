/// Finds characters of a text in the file it was written in.
///
/// Quotes, indentation and folding change blanks and line ends only, so the characters that are not blank are counted.
struct TextPlaces {
  private let text: String
  private let style: YAMLNode.Style
  private let start: SourcePlace
  private let lines: [Substring]

  init(_ scalar: YAMLNode.Scalar, _ place: SourcePlace, _ lines: [Substring]) {
    text = scalar.text
    style = scalar.style
    start = place
    self.lines = lines
  }

  /// - Parameter offset: scalars of the text before the character; the text's end is allowed.
  func place(at offset: Int) -> SourcePlace? {
    let counted = text.unicodeScalars.prefix(offset).count { !Self.isBlank($0) }
    let after = text.unicodeScalars.dropFirst(offset)
    // A blank is found from the next character that counts; the end of all is just behind the last one.
    let blanks = after.prefix { $0 == " " || $0 == "\t" }.count
    let isEnd = after.allSatisfy(Self.isBlank)
    var seen = 0
    var (line, column) = (start.line, start.column)
    switch style {
    case .plain: break
    case .singleQuoted, .doubleQuoted: column += 1
    case .literal, .folded: (line, column) = (line + 1, 1)
    }
    var behind: SourcePlace? = SourcePlace(line: line, column: column)
    while line <= lines.count {
      let scalars = Array(lines[line - 1].unicodeScalars)
      var at = column - 1
      while at < scalars.count {
        let scalar = scalars[at]
        if Self.isBlank(scalar) {
          at += 1
          continue
        }
        // Escapes are longer in the file than in the text.
        if style == .doubleQuoted, scalar == "\\" { return nil }
        if seen == counted { return isEnd ? behind : SourcePlace(line: line, column: max(1, at + 1 - blanks)) }
        if style == .singleQuoted, scalar == "'" { at += 1 }
        seen += 1
        at += 1
        behind = SourcePlace(line: line, column: at + 1)
      }
      line += 1
      column = 1
    }
    return seen == counted ? behind : nil
  }

  private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
    scalar == " " || scalar == "\t" || scalar == "\n" || scalar == "\r"
  }
}
