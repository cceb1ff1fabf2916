import MeshBase

/// Reads the written forms by recursive descent over bytes.
///
/// Blanks and comments are skipped before a path, a prefix or an operator, never inside a path: `#` there is a byte of
/// the label.
struct DtabParser {
  let source: [UInt8]
  private(set) var offset = 0
  /// Where the last token ended: what an early end of the text is reported at.
  private(set) var tokenEnd = 0
  /// From `#` to the end of the line, in order.
  private(set) var comments: [Range<Int>] = []
  private var nesting = 0

  init(_ text: some StringProtocol) { source = Array(text.utf8) }

  // MARK: whole texts

  mutating func wholePath() throws(DtabError) -> Path {
    skipBlank()
    let path = try path()
    try end(expecting: "the end of the path")
    return path
  }

  mutating func wholePrefix() throws(DtabError) -> PathPrefix {
    skipBlank()
    let prefix = try prefix()
    try end(expecting: "the end of the prefix")
    return prefix
  }

  mutating func wholeTree() throws(DtabError) -> NameTree<Path> {
    let tree = try alternation()
    try end(expecting: "`|`, `&` or the end of the name tree")
    return tree
  }

  mutating func wholeDentry() throws(DtabError) -> Dentry {
    skipBlank()
    let dentry = try dentry()
    try end(expecting: "`|`, `&` or the end of the entry")
    return dentry
  }

  /// Each entry with where it lies in the source, its `;` left out.
  mutating func wholeDtab() throws(DtabError) -> [(dentry: Dentry, range: Range<Int>)] {
    var entries: [(dentry: Dentry, range: Range<Int>)] = []
    skipBlank()
    while offset < source.count {
      let start = offset
      let dentry = try dentry()
      entries.append((dentry, start..<tokenEnd))
      skipBlank()
      guard take(";") else { break }
      skipBlank()
    }
    try end(expecting: "`;`, `|`, `&` or the end of the dtab")
    return entries
  }

  // MARK: grammar

  private mutating func dentry() throws(DtabError) -> Dentry {
    if peek == UInt8(ascii: ";") {
      throw unexpected("an entry such as `/svc => /host`", hint: "Remove this `;`: it ends no entry.")
    }
    let prefix = try prefix()
    skipBlank()
    guard peek == UInt8(ascii: "="), offset + 1 < source.count, source[offset + 1] == UInt8(ascii: ">") else {
      let hint: String? =
        switch peek {
        case UInt8(ascii: "="): "Write `=>` in one piece."
        case UInt8(ascii: "*"): Self.starHint
        default: elementHint
        }
      throw unexpected("`=>` behind the prefix \(prefix)", hint: hint)
    }
    advance(2)
    return Dentry(prefix, try alternation())
  }

  private mutating func alternation() throws(DtabError) -> NameTree<Path> {
    var trees = [try union()]
    while take("|") { trees.append(try union()) }
    return trees.count == 1 ? trees[0] : .alt(trees)
  }

  private mutating func union() throws(DtabError) -> NameTree<Path> {
    var branches = [try weighted()]
    while take("&") { branches.append(try weighted()) }
    // A share of one is the whole, whatever its weight.
    return branches.count == 1 ? branches[0].tree : .union(branches)
  }

  /// Ends with the blanks behind it skipped, so that the caller sees an operator or the end.
  private mutating func weighted() throws(DtabError) -> Weighted<Path> {
    skipBlank()
    var weight = 1.0
    if let byte = peek, Ascii.isDigit(byte) || byte == UInt8(ascii: ".") {
      weight = try number()
      skipBlank()
      guard take("*") else {
        throw unexpected("`*` between a weight and its name", hint: "Write it as `0.3 * /name`.")
      }
      skipBlank()
    }
    let tree = try simple()
    skipBlank()
    return Weighted(weight, tree)
  }

  private mutating func simple() throws(DtabError) -> NameTree<Path> {
    switch peek {
    case UInt8(ascii: "/"):
      return .leaf(try path())
    case UInt8(ascii: "~"):
      advance(1)
      return .neg
    case UInt8(ascii: "!"):
      advance(1)
      return .fail
    case UInt8(ascii: "$"):
      advance(1)
      if peek == UInt8(ascii: "/") {
        throw unexpected("an operator or the end behind `$`, the empty tree", hint: "A system name begins with `/$/`.")
      }
      return .empty
    case UInt8(ascii: "("):
      guard nesting < DtabError.nestingMax else {
        throw error(
          .nestedTooDeeply, "more than \(DtabError.nestingMax) parentheses inside each other. Flatten the tree.")
      }
      nesting += 1
      defer { nesting -= 1 }
      advance(1)
      let tree = try alternation()
      guard take(")") else { throw unexpected("`)`, `|` or `&`") }
      return tree
    case .some(let byte) where Label.isPlain(byte):
      throw unexpected("a path, `~`, `!`, `$` or `(`", hint: "A path begins with `/`.")
    default:
      throw unexpected("a path, `~`, `!`, `$` or `(`")
    }
  }

  /// Digits with at most one dot, which may come first or last.
  private mutating func number() throws(DtabError) -> Double {
    let start = offset
    var dots = 0
    while let byte = peek, Ascii.isDigit(byte) || byte == UInt8(ascii: ".") {
      if byte == UInt8(ascii: ".") { dots += 1 }
      offset += 1
    }
    tokenEnd = offset
    let digits = source[start..<offset]
    let text = "0" + String(decoding: digits, as: UTF8.self) + (digits.last == UInt8(ascii: ".") ? "0" : "")
    guard dots < 2, digits.count > dots, let weight = Double(text), weight.isFinite else {
      offset = start
      let found = String(decoding: digits.prefix(24), as: UTF8.self) + (digits.count > 24 ? "…" : "")
      throw error(.badWeight, "`\(found)` is no weight. Write digits with at most one dot, as in `0.3`.")
    }
    return weight
  }

  private mutating func path() throws(DtabError) -> Path {
    var encoded: [UInt8] = []
    let count = try elements(into: &encoded, wildcards: false)
    return Path(encoded: encoded, count: count)
  }

  private mutating func prefix() throws(DtabError) -> PathPrefix {
    var encoded: [UInt8] = []
    let count = try elements(into: &encoded, wildcards: true)
    return PathPrefix(encoded: encoded, count: count)
  }

  /// `/`, or `/` and an element any number of times; nothing may stand between them.
  private mutating func elements(into encoded: inout [UInt8], wildcards: Bool) throws(DtabError) -> Int {
    guard peek == UInt8(ascii: "/") else {
      throw unexpected(wildcards ? "a prefix, which begins with `/`" : "a path, which begins with `/`")
    }
    advance(1)
    var count = 0
    repeat {
      if wildcards, peek == UInt8(ascii: "*") {
        advance(1)
        if let byte = peek, Label.isPlain(byte) || byte == UInt8(ascii: "\\") {
          throw unexpected("`/`, a blank or `=>` behind the wildcard `*`", hint: Self.starHint)
        }
        PathBytes.appendWildcard(to: &encoded)
      } else if let label = try label() {
        PathBytes.append(label, to: &encoded)
      } else if count == 0 {
        // The root; what follows is for the caller, except what can only be a mistyped label.
        if let hint = labelHint { throw unexpected("a label or the end of the path `/`", hint: hint) }
        return 0
      } else {
        throw unexpected("a label behind `/`", hint: labelHint ?? "A path does not end in `/`: remove it.")
      }
      count += 1
    } while take("/")
    return count
  }

  /// `nil` if no label begins here.
  private mutating func label() throws(DtabError) -> [UInt8]? {
    var label: [UInt8] = []
    while let byte = peek {
      if byte == UInt8(ascii: "\\") {
        guard offset + 3 < source.count, source[offset + 1] == UInt8(ascii: "x"),
          let high = Ascii.hexValue(source[offset + 2]), let low = Ascii.hexValue(source[offset + 3])
        else {
          throw error(
            .badEscape, "`\\` begins an escape. Write `\\x` in lower case and two hexadecimal digits, as in `\\x2f`.")
        }
        label.append(high << 4 | low)
        offset += 4
      } else if Label.isPlain(byte) {
        label.append(byte)
        offset += 1
      } else {
        break
      }
    }
    tokenEnd = offset
    return label.isEmpty ? nil : label
  }

  // MARK: bytes

  private var peek: UInt8? { offset < source.count ? source[offset] : nil }

  private mutating func advance(_ count: Int) {
    offset += count
    tokenEnd = offset
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: scalar) else { return false }
    advance(1)
    return true
  }

  /// Blanks, and comments from `#` to the end of the line.
  private mutating func skipBlank() {
    while let byte = peek {
      if byte == 0x20 || (0x09...0x0d).contains(byte) {
        offset += 1
      } else if byte == UInt8(ascii: "#") {
        let end = source[offset...].firstIndex(of: 0x0a) ?? source.count
        comments.append(offset..<end)
        offset = end
      } else {
        return
      }
    }
  }

  // MARK: errors

  private mutating func end(expecting expected: String) throws(DtabError) {
    skipBlank()
    guard offset < source.count else { return }
    var hint = elementHint
    switch peek {
    case UInt8(ascii: "/"):
      if let comment = comments.last, comment.lowerBound >= tokenEnd, source[comment].contains(0x3b) {
        hint = "The comment before it runs to the end of its line, `;` included: put the `;` in front of the `#`."
      } else {
        hint = "Is a `;` missing in front of it?"
      }
    case UInt8(ascii: "*"): hint = Self.starHint
    case UInt8(ascii: ";"): hint = nil
    case UInt8(ascii: ","): hint = "Entries are separated by `;`."
    case UInt8(ascii: "="): hint = "A `;` is missing between two entries."
    default: break
    }
    throw unexpected(expected, hint: hint)
  }

  private static let starHint =
    "`*` stands only for a whole element of a prefix; a star inside a label is written `\\x2a`."

  /// Advice for a byte here that somebody meant as part of a label.
  private var elementHint: String? {
    guard let byte = peek else { return nil }
    switch byte {
    case UInt8(ascii: "*"): return Self.starHint
    case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "?"), UInt8(ascii: "@"), UInt8(ascii: "+"),
      UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: "{"), UInt8(ascii: "}"),
      UInt8(ascii: "^"), UInt8(ascii: "`"), 0...8, 0x0e...0x1f, 0x7f:
      return "In a label this byte is written \(DtabError.escape(byte))."
    case 0x80...:
      let rest = source[(offset + 1)...].prefix { $0 & 0xc0 == 0x80 }
      let written = ([byte] + rest).map { DtabError.escape($0).dropFirst().dropLast() }.joined()
      return "In a label this is written `\(written)`."
    default: return nil
    }
  }

  /// Advice where a label should begin.
  private var labelHint: String? {
    peek == UInt8(ascii: "/") ? "An empty element does not exist: remove one `/`." : elementHint
  }

  private func error(_ kind: DtabError.Kind, _ message: String) -> DtabError {
    DtabError(kind, at: offset, in: source, message)
  }

  private func unexpected(_ expected: String, hint: String? = nil) -> DtabError {
    let hint = hint.map { ". " + $0 } ?? ""
    guard offset < source.count else {
      return DtabError(.unexpectedEnd, at: tokenEnd, in: source, "expected \(expected), but the text ends here\(hint)")
    }
    let found = DtabError.name(ofByteAt: offset, in: source)
    return error(.unexpected(byte: source[offset]), "expected \(expected), but found \(found)\(hint)")
  }
}

extension PathPrefix {
  init(encoded: [UInt8], count: Int) {
    self.encoded = encoded
    self.count = count
    var offset = 0
    var wild = false
    while let element = PathBytes.label(of: encoded, at: &offset) { wild = wild || element.isEmpty }
    hasWildcard = wild
  }
}

extension NameTree where Leaf == Path {
  /// Reads the written form, `0.9 * /a & 0.1 * /b | /c`.
  public init(parsing text: some StringProtocol) throws(DtabError) {
    var parser = DtabParser(text)
    self = try parser.wholeTree()
  }
}
