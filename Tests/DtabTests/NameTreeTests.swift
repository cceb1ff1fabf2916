import Dtab
import Testing

typealias Tree = NameTree<Path>

@Suite struct NameTreeTests {
  @Test(
    "a written tree parses to what it says",
    arguments: [
      ("/a", .leaf("/a")), ("~", .neg), ("!", .fail), ("$", .empty), (" ( /a ) ", .leaf("/a")), ("((~))", .neg),
      ("/a | /b", .alt([.leaf("/a"), .leaf("/b")])),
      ("/a|/b&/c", .alt([.leaf("/a"), .union([Weighted(.leaf("/b")), Weighted(.leaf("/c"))])])),
      ("/a&/b|/c", .alt([.union([Weighted(.leaf("/a")), Weighted(.leaf("/b"))]), .leaf("/c")])),
      ("/a&(/b|/c)", .union([Weighted(.leaf("/a")), Weighted(.alt([.leaf("/b"), .leaf("/c")]))])),
      ("(/a|/b)|/c", .alt([.alt([.leaf("/a"), .leaf("/b")]), .leaf("/c")])),
      ("0.9*/a & .1 * /b", .union([Weighted(0.9, .leaf("/a")), Weighted(0.1, .leaf("/b"))])),
      ("2.*/a&0*~", .union([Weighted(2, .leaf("/a")), Weighted(0, .neg)])),
      ("0.9*/a", .leaf("/a")), ("3*(/a|~)", .alt([.leaf("/a"), .neg])), ("/ | ~", .alt([.leaf("/"), .neg])),
      ("/a # first\n | # or\n /b", .alt([.leaf("/a"), .leaf("/b")])),
    ] as [(String, Tree)])
  func parse(text: String, tree: Tree) throws {
    #expect(try Tree(parsing: text) == tree)
  }

  @Test(
    "what is no tree is refused",
    arguments: [
      "", "|", "/a|", "/a &", "&/a", "/a /b", "(/a", "/a)", "()", "$/inet/a/80", "-1*/a", "1e3*/a", ".*/a", "1.2.3*/a",
      "1/a", "0.5", "*/a", "~~", "~/a", "a", "/*", "/a/*", "+1*/a", "0x1*/a", "(/a|/b",
      String(repeating: "9", count: 400) + "*/a",
    ])
  func refuse(text: String) {
    #expect(throws: DtabError.self) { try Tree(parsing: text) }
  }

  @Test(
    "a tree prints with the parentheses it needs",
    arguments: [
      ("/a|/b", "/a | /b"), ("(/a&/b)|/c", "/a & /b | /c"), ("/a&(/b|/c)", "/a & (/b | /c)"),
      ("(/a|/b)|/c", "(/a | /b) | /c"), ("/a&(/b&/c)", "/a & (/b & /c)"), ("1*/a&0.3*/b", "/a & 0.30*/b"),
      ("0.125*/a&2*/b", "0.125*/a & 2.00*/b"), ("0.5*(/a|/b)&~", "0.50*(/a | /b) & ~"), ("!|$", "! | $"),
    ])
  func show(text: String, printed: String) throws {
    let tree = try Tree(parsing: text)
    #expect(tree.description == printed)
    #expect(try Tree(parsing: printed) == tree)
  }

  @Test("a branch with one child prints as the child, one with none as neg")
  func collapse() {
    #expect(Tree.alt([.leaf("/a")]).description == "/a")
    #expect(Tree.union([Weighted(0.5, .leaf("/a"))]).description == "/a")
    #expect(Tree.alt([.union([Weighted(.alt([.leaf("/a"), .neg]))]), .fail]).description == "(/a | ~) | !")
    #expect(Tree.alt([]).description == "~")
    #expect(Tree.union([]).description == "~")
  }

  @Test(
    "weights print with two decimals, or with as many as they need",
    arguments: [
      (0.3, "0.30", "0.30"), (0.125, "0.13", "0.125"), (0.001, "0.00", "0.001"), (0.005, "0.01", "0.005"),
      (0.996, "1.00", "0.996"), (99.999, "100.00", "99.999"), (0, "0.00", "0.00"), (2, "2.00", "2.00"),
      (1e-7, "0.00", "0.0000001"), (1e21, "1000000000000000000000.00", "1000000000000000000000.00"),
      (12.5, "12.50", "12.50"),
      (0.065, "0.07", "0.065"), (100, "100.00", "100.00"), (0.994, "0.99", "0.994"), (0.0049, "0.00", "0.0049"),
      (1234.5678, "1234.57", "1234.5678"),
    ] as [(Double, String, String)])
  func weights(weight: Double, two: String, exact: String) throws {
    let tree = Tree.union([Weighted(weight, .leaf("/a")), Weighted(.leaf("/b"))])
    #expect(tree.printed(weights: .twoDecimals) { $0.description } == two + "*/a & /b")
    #expect(tree.description == exact + "*/a & /b")
    #expect(try Tree(parsing: tree.description) == tree)
  }

  @Test(
    "simplify drops what is idle",
    arguments: [
      ("~ | /a", "/a"), ("/a | ~ | /b", "/a | /b"), ("~ | ~", "~"), ("/a | ! | /b", "/a | !"), ("~ | !", "!"),
      ("$ | /a", "$ | /a"), ("! & !", "~"), ("/a & !", "/a"), ("0.1*/a & 0.9*~", "/a"), ("/a & $", "/a & $"),
      ("~ & $", "$"), ("(! & !) | /b", "/b"), ("/a & (~ | ~)", "/a"), ("(/a | ! ) | /b", "(/a | !) | /b"),
      ("0.3*/a & 0.7*/b & 1*~", "0.3*/a & 0.7*/b"),
    ])
  func simplify(text: String, simple: String) throws {
    #expect(try Tree(parsing: text).simplified() == Tree(parsing: simple))
  }

  @Test(
    "evaluation: alternation takes the first that is there, fail stops, a union joins",
    arguments: [
      ("~", nil), ("!", nil), ("$", []), ("/a", ["/a"]), ("~ | /a | /b", ["/a"]), ("! | /a", nil), ("$ | /a", []),
      ("/a & /b", ["/a", "/b"]), ("/a & ~", ["/a"]), ("~ & !", nil), ("(~ & !) | /b", ["/b"]), ("/a & $", ["/a"]),
      ("$ & ~", []),
    ] as [(String, Set<Path>?)])
  func evaluate(text: String, leaves: Set<Path>?) throws {
    #expect(try Tree(parsing: text).evaluated() == leaves)
  }

  @Test("64 parentheses inside each other are allowed, 65 are not, a million do no harm")
  func nesting() throws {
    let nested = { (count: Int) in String(repeating: "(", count: count) + "/a" + String(repeating: ")", count: count) }
    #expect(try Tree(parsing: nested(64)) == .leaf("/a"))
    for count in [65, 1_000_000] {
      let error = #expect(throws: DtabError.self) { try Tree(parsing: nested(count)) }
      #expect(error?.kind == .nestedTooDeeply)
      #expect(error?.offset == 64)
    }
  }
}
