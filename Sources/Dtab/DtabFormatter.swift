/// A dtab's text in its usual layout: an entry a line, `=>` in one column, comments and single blank lines kept.
///
/// The result parses to the same dtab, and formatting it again changes nothing. Comments inside an entry move in
/// front of it.
public func formatted(dtab text: some StringProtocol) throws(DtabError) -> String {
  var parser = DtabParser(text)
  let entries = try parser.wholeDtab()
  return DtabFormatter.layOut(DtabFormatter.items(of: parser, entries: entries))
}

/// Lays out the entries and comments that the parser saw.
enum DtabFormatter {
  /// A tree of alternatives that would make a longer line gets a line for each.
  static let lineLength = 100
  /// A longer prefix does not push the arrows of its neighbours.
  static let prefixWidthMax = 40

  enum Item {
    case comment(String)
    case entry(Dentry, trailing: String?)
    case blankLine
  }

  static func items(of parser: DtabParser, entries: [(dentry: Dentry, range: Range<Int>)]) -> [Item] {
    var items: [Item] = []
    var comments = parser.comments[...]
    let source = parser.source
    var end = 0
    for (dentry, range) in entries {
      add(&comments, before: range.lowerBound, to: &items, &end, source)
      if separates(source[end..<range.lowerBound]) { items.append(.blankLine) }
      // A comment inside an entry has no place in one line; it goes in front.
      while let comment = comments.first, comment.lowerBound < range.upperBound {
        items.append(.comment(text(source[comment])))
        comments.removeFirst()
      }
      end = range.upperBound
      var trailing: String?
      if let comment = comments.first, !source[end..<comment.lowerBound].contains(0x0a), onlyEnds(source, end, comment)
      {
        trailing = text(source[comment])
        end = comment.upperBound
        comments.removeFirst()
      }
      items.append(.entry(dentry, trailing: trailing))
    }
    add(&comments, before: source.count, to: &items, &end, source)
    if case .blankLine? = items.first { items.removeFirst() }
    return items
  }

  static func layOut(_ items: [Item]) -> String {
    var text = ""
    var index = 0
    while index < items.count {
      switch items[index] {
      case .blankLine:
        text += "\n"
        index += 1
      case .comment(let comment):
        text += comment + "\n"
        index += 1
      case .entry:
        let block = items[index...].prefix { if case .entry = $0 { true } else { false } }
        let prefixes = block.map { if case .entry(let dentry, _) = $0 { dentry.prefix.description.count } else { 0 } }
        let width = prefixes.filter { $0 <= prefixWidthMax }.max() ?? 0
        for case .entry(let dentry, let trailing) in block { text += layOut(dentry, width, trailing) + "\n" }
        index = block.endIndex
      }
    }
    return text
  }

  private static func layOut(_ dentry: Dentry, _ width: Int, _ trailing: String?) -> String {
    let prefix = dentry.prefix.description
    let head = prefix + String(repeating: " ", count: max(0, width - prefix.count)) + " => "
    var line = head + dentry.tree.printed(weights: .readable) { $0.description }
    if line.utf8.count > lineLength, case .alt(let trees) = dentry.tree, trees.count > 1 {
      let indent = "\n" + String(repeating: " ", count: head.utf8.count - 2) + "| "
      // An alternation inside this one needs its parentheses; the trees between the bars print as they do in one line.
      line = head + trees.map { branch($0) }.joined(separator: indent)
    }
    return line + ";" + (trailing.map { "  " + $0 } ?? "")
  }

  private static func branch(_ tree: NameTree<Path>) -> String {
    let text = tree.printed(weights: .readable) { $0.description }
    if case .alt(let trees) = tree, trees.count > 1 { return "(\(text))" }
    return text
  }

  private static func add(
    _ comments: inout ArraySlice<Range<Int>>, before limit: Int, to items: inout [Item], _ end: inout Int,
    _ source: [UInt8]
  ) {
    while let comment = comments.first, comment.lowerBound < limit {
      if separates(source[end..<comment.lowerBound]) { items.append(.blankLine) }
      items.append(.comment(text(source[comment])))
      end = comment.upperBound
      comments.removeFirst()
    }
  }

  /// Whether there is an empty line in the gap between two items.
  private static func separates(_ gap: ArraySlice<UInt8>) -> Bool {
    var newlines = 0
    for byte in gap {
      if byte == 0x0a {
        newlines += 1
        if newlines == 2 { return true }
      } else if byte == 0x3b {
        newlines = 0
      }
    }
    return false
  }

  /// Whether the entry that ends at `end` is the last thing in front of the comment.
  private static func onlyEnds(_ source: [UInt8], _ end: Int, _ comment: Range<Int>) -> Bool {
    source[end..<comment.lowerBound].allSatisfy { $0 == 0x3b || $0 == 0x20 || (0x09...0x0d).contains($0) }
  }

  private static func text(_ comment: ArraySlice<UInt8>) -> String {
    var comment = comment
    while let last = comment.last, last == 0x20 || (0x09...0x0d).contains(last) { comment.removeLast() }
    return String(decoding: comment, as: UTF8.self)
  }
}

extension Dtab {
  /// The usual layout, for people; parses back to the same dtab. Ends with a newline unless empty.
  public var pretty: String { DtabFormatter.layOut(entries.map { .entry($0, trailing: nil) }) }
}
