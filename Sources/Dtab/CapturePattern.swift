/// A pattern for the beginning of a path: elements that are literal, `*` (any one label), or text with `{captures}`.
///
/// Serves per-client configuration (`/#/io.l5d.fs/{service}`) and the `io.l5d.rewrite` namer. A capture may be empty
/// beside other text; where an element has several, an earlier one takes as many bytes as it can.
public struct CapturePattern: Hashable, Sendable {
  /// What the captures of a match stand for; of two with the same name the later one counts.
  public typealias Captures = [String: [UInt8]]

  enum Element: Hashable, Sendable {
    case any
    /// `literals` has one entry more than `names`: what stands before, between and behind the captures.
    case text(literals: [[UInt8]], names: [String])
  }

  let elements: [Element]
  public let source: String

  /// Reads `/`-separated elements; literal text is written as in a path, escapes included.
  public init(parsing text: some StringProtocol) throws(DtabError) {
    source = String(text)
    elements = try Self.elements(of: source, wildcards: true)
  }

  /// Number of labels that a match covers.
  public var count: Int { elements.count }

  /// The names of all captures, in order.
  public var names: [String] {
    elements.flatMap { element -> [String] in
      guard case .text(_, let names) = element else { return [] }
      return names
    }
  }

  /// The captures if the pattern covers the first labels of the path; the rest of the path may be anything.
  public func captures(in path: Path) -> Captures? {
    guard count <= path.count else { return nil }
    var captures: Captures = [:]
    var offset = 0
    for element in elements {
      let range = PathBytes.label(of: path.encoded, at: &offset)!
      if case .text(let literals, let names) = element {
        guard Self.match(path.encoded[range], literals, names, into: &captures) else { return nil }
      }
    }
    return captures
  }

  public func matches(_ path: Path) -> Bool { captures(in: path) != nil }

  /// Places the literals from the right, each as far right as it goes: that makes the earlier captures longest.
  private static func match(
    _ label: ArraySlice<UInt8>, _ literals: [[UInt8]], _ names: [String], into captures: inout Captures
  ) -> Bool {
    if names.isEmpty { return label.elementsEqual(literals[0]) }
    guard label.count >= literals[0].count + literals.last!.count, label.starts(with: literals[0]),
      label.suffix(literals.last!.count).elementsEqual(literals.last!)
    else { return false }
    let start = label.startIndex + literals[0].count
    var end = label.endIndex - literals.last!.count
    var values: [[UInt8]] = []
    for literal in literals[1..<names.count].reversed() {
      var place = end - literal.count
      while place >= start, !label[place..<place + literal.count].elementsEqual(literal) { place -= 1 }
      guard place >= start else { return false }
      values.append(Array(label[place + literal.count..<end]))
      end = place
    }
    values.append(Array(label[start..<end]))
    for (name, value) in zip(names, values.reversed()) { captures[name] = value }
    return true
  }
}

extension CapturePattern: CustomStringConvertible {
  public var description: String { source }
}

/// A path with `{captures}` to be filled in.
public struct CaptureTemplate: Hashable, Sendable {
  let elements: [CapturePattern.Element]
  public let source: String

  /// Every capture must be one of `names`.
  public init(parsing text: some StringProtocol, names: [String]) throws(DtabError) {
    source = String(text)
    elements = try CapturePattern.elements(of: source, wildcards: false, known: names)
  }

  /// `nil` if an element would be empty, which no path can hold. A value stays within its element, whatever its bytes.
  public func path(with captures: CapturePattern.Captures) -> Path? {
    var encoded: [UInt8] = []
    for case .text(let literals, let names) in elements {
      var label = literals[0]
      for (index, name) in names.enumerated() { label += (captures[name] ?? []) + literals[index + 1] }
      if label.isEmpty { return nil }
      PathBytes.append(label, to: &encoded)
    }
    return Path(encoded: encoded, count: elements.count)
  }
}

extension CaptureTemplate: CustomStringConvertible {
  public var description: String { source }
}

/// The `io.l5d.rewrite` namer: a path that fits `pattern` stands for the path that `name` makes of its captures.
public struct RewritePattern: Hashable, Sendable {
  public let pattern: CapturePattern
  public let name: CaptureTemplate

  public init(pattern: some StringProtocol, name: some StringProtocol) throws(DtabError) {
    self.pattern = try CapturePattern(parsing: pattern)
    self.name = try CaptureTemplate(parsing: name, names: self.pattern.names)
  }

  /// `neg` if the path (without the namer's own prefix) does not fit. Labels behind the pattern are dropped, as linkerd
  /// does.
  public func rewrite(_ path: Path) -> NameTree<Path> {
    guard let captures = pattern.captures(in: path), let result = name.path(with: captures) else { return .neg }
    return .leaf(result)
  }
}
