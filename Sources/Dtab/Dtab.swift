/// A delegation table: rules that rewrite names, of which a later one goes before an earlier one.
public struct Dtab: Hashable, Sendable {
  public let entries: [Dentry]

  public static let empty = Dtab([])

  public init(_ entries: [Dentry]) { self.entries = entries }

  /// Reads entries separated by `;`, with comments from `#` to the end of a line. No entry at all is a valid dtab.
  public init(parsing text: some StringProtocol) throws(DtabError) {
    var parser = DtabParser(text)
    entries = try parser.wholeDtab().map(\.dentry)
  }

  public var count: Int { entries.count }
  public var isEmpty: Bool { entries.isEmpty }

  /// The entries of `b` go before those of `a`.
  public static func + (a: Dtab, b: Dtab) -> Dtab {
    if a.isEmpty { return b }
    return b.isEmpty ? a : Dtab(a.entries + b.entries)
  }
}

extension Dtab {
  /// An entry whose prefix matches a path, and what it left of the path.
  struct Match: Equatable {
    let index: Int
    let tail: PathTail
  }

  /// In the order in which they are tried: last entry first, whatever the length of their prefixes.
  func matching(_ path: Path) -> [Match] {
    var matches: [Match] = []
    for index in entries.indices.reversed() {
      if let tail = entries[index].prefix.tail(of: path) { matches.append(Match(index: index, tail: tail)) }
    }
    return matches
  }

  /// The entries that match, in the order in which they are tried, each with its tree as it reads for this path.
  public func matches(_ path: Path) -> [(index: Int, tree: NameTree<Path>)] {
    matching(path).map { match in
      (match.index, entries[match.index].tree.map { $0.appending(path, from: match.tail) })
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
