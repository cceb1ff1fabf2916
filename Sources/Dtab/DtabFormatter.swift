/// A dtab's text in its usual layout: an entry a line, `=>` in one column, comments and single blank lines kept.
///
/// The result parses to the same dtab, and formatting it again changes nothing. Comments inside an entry move in
/// front of it.
public func formatted(dtab text: String) throws(DtabError) -> String {
  let dtab = try Dtab(parsing: text)
  let lines = DtabLayout(text).lines
  // The layout finds entries by their semicolons alone; where that is not what the parser saw (a comment right behind
  // a weight), the text stays as it is.
  guard lines.count(where: { $0.isEntry }) == dtab.count else { return text }
  return print(lines, dtab)
}

/// Prefixes longer than this do not push the arrows of their neighbours to the right.
private let alignedWidthMax = 40

private func print(_ lines: [DtabLayout.Line], _ dtab: Dtab) -> String {
  let prefixes = dtab.entries.map { $0.prefix.description }
  var out = ""
  var entry = 0
  var width = 0
  var isInBlock = false
  for line in lines {
    switch line {
    case .blank:
      isInBlock = false
      out += "\n"
    case .comment(let text):
      isInBlock = false
      out += text + "\n"
    case .entry(let comment):
      if !isInBlock {
        width = blockWidth(from: entry, in: lines, prefixes)
        isInBlock = true
      }
      let prefix = prefixes[entry]
      let padding = String(repeating: " ", count: max(0, width - prefix.utf8.count))
      let tree = dtab.entries[entry].tree.printed(weights: .readable) { $0.description }
      out += "\(prefix)\(padding) => \(tree);"
      if let comment { out += "  " + comment }
      out += "\n"
      entry += 1
    }
  }
  return out
}

/// The longest prefix of the entries that follow each other from this one on.
private func blockWidth(from first: Int, in lines: [DtabLayout.Line], _ prefixes: [String]) -> Int {
  var entry = 0
  var width = 0
  for line in lines {
    if line.isEntry {
      if entry >= first {
        let own = prefixes[entry].utf8.count
        if own <= alignedWidthMax { width = max(width, own) }
      }
      entry += 1
    } else if entry > first {
      break
    }
  }
  return width
}

/// Where entries, comments and blank lines stand in the text of a valid dtab.
private struct DtabLayout {
  enum Line {
    case blank
    /// From `#` on, on a line of its own.
    case comment(String)
    /// The next entry, with the comment behind it.
    case entry(String?)

    var isEntry: Bool { if case .entry = self { true } else { false } }
    var isBlank: Bool { if case .blank = self { true } else { false } }
  }

  private(set) var lines: [Line] = []

  init(_ text: String) {
    let bytes = Array(text.utf8)
    var isInsideEntry = false
    var breaks = 1
    var i = 0
    while i < bytes.count {
      let byte = bytes[i]
      if byte == UInt8(ascii: "#"), i == 0 || !Self.isPartOfName(bytes[i - 1]) {
        let end = bytes[i...].firstIndex(of: 0x0a) ?? bytes.count
        add(comment: Self.trimmed(bytes[i..<end]), isInsideEntry: isInsideEntry, isOnNewLine: breaks > 0)
        breaks = 0
        i = end
        continue
      }
      switch byte {
      case 0x0a:
        breaks += 1
        if breaks == 2, !isInsideEntry, lines.last.map({ !$0.isBlank }) == true { lines.append(.blank) }
      case UInt8(ascii: ";"):
        lines.append(.entry(nil))
        isInsideEntry = false
        breaks = 0
      case 0x20, 0x09, 0x0d: break
      default:
        isInsideEntry = true
        breaks = 0
      }
      i += 1
    }
    if isInsideEntry { lines.append(.entry(nil)) }
    while lines.last?.isBlank == true { lines.removeLast() }
  }

  private mutating func add(comment: String, isInsideEntry: Bool, isOnNewLine: Bool) {
    if !isInsideEntry, !isOnNewLine, case .entry(nil) = lines.last {
      lines[lines.count - 1] = .entry(comment)
    } else {
      lines.append(.comment(comment))
    }
  }

  /// Behind such a byte `#` belongs to a label.
  private static func isPartOfName(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "/") || Label.isPlain(byte) }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
    var bytes = bytes
    while let last = bytes.last, last == 0x20 || last == 0x09 || last == 0x0d { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
