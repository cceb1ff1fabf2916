import MeshBase
import Testing

@testable import Dtab

/// Laws over random values; a failure prints the seed that repeats it.
@Suite struct LawTests {
  static let seeds: [UInt64] = (0..<4).map { _ in UInt64.random(in: 0...UInt64.max) } + [1, 2]

  @Test("what is printed parses back to the same value", arguments: seeds)
  func roundTrip(seed: UInt64) throws {
    var generator = Generator(seed: seed)
    for _ in 0..<50 {
      let (path, prefix, tree, dtab) = (generator.path(), generator.prefix(), generator.tree(), generator.dtab(max: 6))
      try #require(try Path(parsing: path.description) == path)
      try #require(Path(path.labels) == path)
      try #require(try PathPrefix(parsing: prefix.description) == prefix)
      try #require(PathPrefix(prefix.elements) == prefix)
      try #require(try Tree(parsing: tree.description) == tree)
      try #require(try Dtab(parsing: dtab.description) == dtab)
      try #require(try Dtab(parsing: dtab.pretty) == dtab)
      try #require(try formatted(dtab: dtab.pretty) == dtab.pretty)
    }
  }

  @Test("a printed tree, however it was built, prints the same again", arguments: seeds)
  func loosePrint(seed: UInt64) throws {
    var generator = Generator(seed: seed)
    for _ in 0..<500 {
      let text = generator.looseTree().description
      try #require(try Tree(parsing: text).description == text)
    }
  }

  @Test("simplifying twice is simplifying once, and changes neither evaluation nor routes", arguments: seeds)
  func simplify(seed: UInt64) throws {
    var generator = Generator(seed: seed)
    for _ in 0..<500 {
      let tree = generator.looseTree()
      let simple = tree.simplified()
      try #require(simple.simplified() == simple)
      try #require(simple.evaluated() == tree.evaluated(), "\(tree)")
      try #require(routes(simple) == routes(tree))
      if case .routes(let routes) = routes(tree) {
        let sum = routes.reduce(0) { $0 + $1.share }
        try #require(abs(sum - 1) < 1e-9, "\(tree)")
      }
    }
  }

  @Test("a look-up is the matching entries from the last to the first, with or without an index", arguments: seeds)
  func lookupOrder(seed: UInt64) throws {
    var generator = Generator(seed: seed)
    for round in 0..<20 {
      let tables = (generator.dtab(max: round % 2 == 0 ? 60 : 10), generator.dtab(max: 12))
      let dtab = tables.0 + tables.1
      for _ in 0..<20 {
        let path = generator.path()
        // Read off the definition, by labels.
        let expected = dtab.entries.indices.reversed().filter { index in
          let elements = dtab.entries[index].prefix.elements
          return elements.count <= path.count
            && zip(elements, path.labels).allSatisfy { $0 == .any || $0 == .label($1) }
        }
        let matches = dtab.matches(path)
        try #require(matches.map(\.index) == expected)
        for (index, tree) in matches {
          let entry = dtab.entries[index]
          try #require(tree == entry.tree.map { $0 + path.dropFirst(entry.prefix.count) })
        }
        let trees = matches.map(\.tree)
        try #require(dtab.lookup(path) == (trees.isEmpty ? .neg : trees.count == 1 ? trees[0] : .alt(trees)))
      }
    }
  }

  /// Answers of every kind, always the same for a path.
  static func namer(_ path: Path) -> LookupState<String> {
    guard let first = path.first else { return .tree(.neg) }
    switch first.bytes[0] % 13 {
    case 0: return .pending
    case 1: return .failed("broken")
    case 2: return .tree(.fail)
    case 3: return .tree(.empty)
    case 4: return .tree(.leaf(.path(path.dropFirst())))
    case 5: return .tree(.alt([.leaf(.path(path.dropFirst())), .leaf(.bound("\(path)"))]))
    case 6: return .tree(.union([Weighted(1, .leaf(.bound("x"))), Weighted(2, .leaf(.path("/a")))]))
    case 7: return .tree(.neg)
    default: return .tree(.leaf(.bound("\(path)")))
    }
  }

  @Test("a binding ends within its budget, and its explanation says the same", arguments: seeds)
  func bindAndDelegate(seed: UInt64) throws {
    var generator = Generator(seed: seed)
    for _ in 0..<50 {
      let dtab = generator.dtab(max: 12)
      let path = generator.path()
      let limits = BindLimits(depthMax: 1 + generator.random.below(100), nodesMax: 1 + generator.random.below(500))
      var asked: [Path] = []
      let state = bind(path, dtab: dtab, limits: limits) { path in
        asked.append(path)
        return Self.namer(path)
      }
      try #require(Set(asked).count == asked.count, "asked twice")
      try #require(asked.count <= limits.nodesMax)
      let node = delegate(path, dtab: dtab, limits: limits, namer: Self.namer)
      try #require(node.state == state, "\(dtab) \(path)")
      if case .bound(let tree) = state {
        try #require(tree == tree.simplified())
        // The leaves on the route are the leaves that get traffic.
        var bound: [String] = []
        tree.forEachLeaf { bound.append($0) }
        try #require(node.route.compactMap(\.node.bound) == bound, "\(dtab) \(path)")
      }
    }
  }

  @Test("bytes at random are parsed or refused with a place inside the text", arguments: seeds)
  func junk(seed: UInt64) throws {
    var generator = Generator(seed: seed)
    let alphabet = Array("/ab=>;|&~!$()*.1 \n#\\x2f\u{e9}".utf8)
    for _ in 0..<1_000 {
      let bytes = (0..<generator.random.below(30)).map { _ in alphabet[generator.random.below(alphabet.count)] }
      let text = String(decoding: bytes, as: UTF8.self)
      do {
        let dtab = try Dtab(parsing: text)
        try #require(try Dtab(parsing: dtab.description) == dtab)
      } catch let error as DtabError {
        try #require((0...text.utf8.count).contains(error.offset))
        try #require(error.caret(in: text).contains("^"))
      }
    }
  }
}
