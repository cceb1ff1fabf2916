/// A delegation table: rules that rewrite names, of which a later one goes before an earlier one.
public struct Dtab: Sendable {
  public let entries: [Dentry]
  /// Of the first entries, where there are many.
  private let index: DtabIndex?

  public static let empty = Dtab([])

  public init(_ entries: [Dentry]) {
    self.entries = entries
    index = entries.count < DtabIndex.countMin ? nil : DtabIndex(entries)
  }

  private init(_ entries: [Dentry], index: DtabIndex) {
    self.entries = entries
    self.index = index
  }

  /// Reads entries separated by `;`, with comments from `#` to the end of a line. No entry at all is a valid dtab.
  public init(parsing text: some StringProtocol) throws(DtabError) {
    var parser = DtabParser(text)
    self.init(try parser.wholeDtab().map(\.dentry))
  }

  public var count: Int { entries.count }
  public var isEmpty: Bool { entries.isEmpty }

  /// The entries of `b` go before those of `a`.
  public static func + (a: Dtab, b: Dtab) -> Dtab {
    if a.isEmpty { return b }
    if b.isEmpty { return a }
    let entries = a.entries + b.entries
    // A request's few entries behind a large table are not worth another index.
    if let index = a.index, entries.count - index.covered <= max(DtabIndex.countMin, index.covered / 8) {
      return Dtab(entries, index: index)
    }
    return Dtab(entries)
  }
}

extension Dtab: Hashable {
  public static func == (a: Dtab, b: Dtab) -> Bool { a.entries == b.entries }
  public func hash(into hasher: inout Hasher) { hasher.combine(entries) }
}

extension Dtab {
  /// An entry whose prefix matches a path, and what it left of the path.
  @usableFromInline struct Match: Equatable {
    @usableFromInline let index: Int
    @usableFromInline let tail: PathTail
  }

  /// Matches in the order in which they are tried; a single one, the usual case, takes no memory of its own.
  @usableFromInline struct Matches {
    @usableFromInline private(set) var first: Match?
    private var rest: [Match] = []

    @usableFromInline var count: Int { first == nil ? 0 : 1 + rest.count }
    @usableFromInline subscript(position: Int) -> Match { position == 0 ? first! : rest[position - 1] }

    mutating func append(_ match: Match) {
      if first == nil { first = match } else { rest.append(match) }
    }

    /// The last entry first.
    mutating func sort() {
      guard let head = first, !rest.isEmpty else { return }
      rest.append(head)
      rest.sort { $0.index > $1.index }
      first = rest.removeFirst()
    }
  }

  /// In the order in which they are tried: last entry first, whatever the length of their prefixes.
  @usableFromInline func matching(_ path: Path) -> Matches {
    var matches = Matches()
    for position in ((index?.covered ?? 0)..<entries.count).reversed() {
      if let tail = entries[position].prefix.tail(of: path) { matches.append(Match(index: position, tail: tail)) }
    }
    index?.matching(path, entries, into: &matches)
    return matches
  }

  /// How many prefixes a look-up tries that do not match; entries that the index leaves out for sure do not count.
  @usableFromInline var lookupCost: Int { (index?.shapes.count ?? 0) + entries.count - (index?.covered ?? 0) }

  /// The entries that match, in the order in which they are tried, each with its tree as it reads for this path.
  public func matches(_ path: Path) -> [(index: Int, tree: NameTree<Path>)] {
    let matches = matching(path)
    return (0..<matches.count).map { position in
      let match = matches[position]
      return (match.index, entries[match.index].tree.map { $0.appending(path, from: match.tail) })
    }
  }

  /// One step: `neg` if no entry matches, the tree of the one that does, or an alternation of those of all.
  public func lookup(_ path: Path) -> NameTree<Path> {
    let trees = matches(path).map(\.tree)
    return trees.isEmpty ? .neg : trees.count == 1 ? trees[0] : .alt(trees)
  }
}

extension Dtab: CustomStringConvertible {
  /// One line that parses back to the same dtab: `/a=>/b;/c=>/d`.
  public var description: String { printed() }

  public func printed(weights: WeightFormat = .exact) -> String {
    entries.map { $0.printed(weights: weights) }.joined(separator: ";")
  }
}

extension Dtab: ExpressibleByStringLiteral {
  /// For dtabs known when the program is written; a malformed one is a bug and traps.
  public init(stringLiteral text: String) {
    do throws(DtabError) {
      try self.init(parsing: text)
    } catch {
      preconditionFailure("\(error)\n\(error.caret(in: text))")
    }
  }
}
