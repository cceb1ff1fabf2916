extension Sequence<Diagnostic> {
  /// The problems as a person reads them: place, severity, sentence, and the line with a caret beneath.
  ///
  /// - Parameter text: the file as it was read; lines are quoted from it.
  /// - Parameter color: whether to use ANSI colours.
  public func terminalText(name: String, text: String, color: Bool = false) -> String {
    let lines = sourceLines(text)
    let all = Array(self)
    let placeWidth = all.map { "\($0.line):\($0.column)".utf8.count }.max() ?? 0
    let indent = String(repeating: " ", count: 2 + placeWidth + 1 + 5 + 2)
    var out = all.isEmpty ? "" : name + "\n"
    for diagnostic in all {
      let place = "\(diagnostic.line):\(diagnostic.column)"
      out += "  " + place + String(repeating: " ", count: placeWidth - place.utf8.count + 1)
      let label = diagnostic.severity.label
      out += color ? diagnostic.severity.ansi + label + "\u{1b}[0m" : label
      out += String(repeating: " ", count: 7 - label.utf8.count) + diagnostic.sentence + "\n"
      guard diagnostic.showsSource, diagnostic.line >= 1, diagnostic.line <= lines.count else { continue }
      let quote = SourceQuote(line: lines[diagnostic.line - 1], column: diagnostic.column, length: diagnostic.length)
      if quote.text.isEmpty { continue }
      let gutter = "\(diagnostic.line) | "
      out += indent + gutter + quote.text + "\n"
      let caret = String(repeating: "^", count: quote.length)
      out += indent + String(repeating: " ", count: gutter.utf8.count + quote.offset)
      out += (color ? diagnostic.severity.ansi + caret + "\u{1b}[0m" : caret) + "\n"
    }
    return out
  }
}

extension Diagnostic.Severity {
  fileprivate var label: String { self == .warning ? "warn" : rawValue }

  fileprivate var ansi: String {
    switch self {
    case .error: "\u{1b}[31m"
    case .warning: "\u{1b}[33m"
    case .hint: "\u{1b}[36m"
    }
  }
}

/// The part of a line which is shown, with control characters made harmless.
private struct SourceQuote {
  var text: String
  /// Scalars before the caret.
  var offset: Int
  var length: Int

  static let widthMax = 100

  init(line: Substring, column: Int, length: Int) {
    var scalars = line.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }
    // The caret may stand one past the end, where something is missing.
    let start = Swift.min(Swift.max(column - 1, 0), scalars.count)
    var from = 0
    var cutLeft = false
    if scalars.count > Self.widthMax {
      from = Swift.max(0, Swift.min(start - 30, scalars.count - Self.widthMax))
      cutLeft = from > 0
      let to = Swift.min(from + Self.widthMax, scalars.count)
      let cutRight = to < scalars.count
      scalars = Array(scalars[from..<to])
      if cutLeft { scalars[0] = "…" }
      if cutRight { scalars[scalars.count - 1] = "…" }
    }
    while scalars.last == " " { scalars.removeLast() }
    var text = ""
    text.unicodeScalars.append(contentsOf: scalars)
    self.text = text
    offset = start - from
    self.length = Swift.max(1, Swift.min(length, scalars.count - offset))
  }
}
