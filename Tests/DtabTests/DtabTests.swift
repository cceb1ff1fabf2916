import Testing

@testable import Dtab

@Suite struct DtabTests {
  @Test(
    "entries are separated by semicolons, of which one may end the table",
    arguments: [
      ("", 0), (" \n\t", 0), ("# only a comment", 0), ("# one\n# two\n", 0), ("/a=>/b", 1), ("/a=>/b;", 1),
      ("/a => /b ; \n", 1),
      ("/a=>/b;/c=>/d", 2), ("/a=>/b;\n# note\n/c=>/d ; # end", 2), ("/a\n=>\n/b", 1), ("/a => ~ | /b & /c;", 1),
      ("/ => /b", 1), ("/*=>/b", 1), ("/a/*/c=>/b", 1), ("/a # why\n => /b", 1), ("/a=>/b # x ; /c=>/d", 1),
    ])
  func parse(text: String, count: Int) throws {
    let dtab = try Dtab(parsing: text)
    #expect(dtab.count == count)
    #expect(try Dtab(parsing: dtab.description) == dtab)
  }

  @Test(
    "what is no dtab is refused",
    arguments: [
      ";", ";;", "/a=>/b;;", "/a=>/b;;/c=>/d", ";/a=>/b", "/a", "/a=>", "=>/b", "/a=/b", "/a= >/b", "/a>/b",
      "/a=>/b /c=>/d",
      "/a=>/b\n/c=>/d", "/a=>/b,/c=>/d", "/a/*b=>/c", "/a/b*=>/c", "/a=>/b/*", "/**=>/b", "/*/=>/b", "/a/=>/b", "a=>/b",
      "/a=>$/inet/x/80", "/a=>/b # no end;\n/c=>/d", "~=>/a", "/a=>/b=>/c",
    ])
  func refuse(text: String) {
    #expect(throws: DtabError.self) { try Dtab(parsing: text) }
  }

  @Test("a number sign inside a label belongs to it, behind a blank it begins a comment")
  func numberSign() throws {
    #expect(try Dtab(parsing: "/a=>/b#c") == Dtab([Dentry("/a", .leaf(Path(labels: ["b#c"])))]))
    #expect(try Dtab(parsing: "/a=>/b #c") == Dtab([Dentry("/a", .leaf("/b"))]))
    #expect(try Dtab(parsing: "/#=>/#/io.l5d.fs").entries[0].prefix.description == "/#")
  }

  @Test("a comment takes semicolons and entries with it to the end of its line")
  func commentEats() throws {
    let dtab = try Dtab(parsing: "/a=>/b # ; /x=>/y ;\n;/c=>/d")
    #expect(dtab.description == "/a=>/b;/c=>/d")
  }

  @Test("the printed form joins entries with a semicolon")
  func printed() throws {
    let dtab = try Dtab(parsing: "/svc => /host | 0.125 * /x & ! ;\n/a/*/b => ~ ;")
    #expect(dtab.description == "/svc=>/host | 0.125*/x & !;/a/*/b=>~")
    #expect(dtab.printed(weights: .twoDecimals) == "/svc=>/host | 0.13*/x & !;/a/*/b=>~")
  }

  @Test("an escaped star is a literal, not a wildcard")
  func literalStar() throws {
    let prefix = try PathPrefix(parsing: "/\\x2a")
    #expect(!prefix.hasWildcard)
    #expect(prefix.matches(Path(labels: ["*"])))
    #expect(!prefix.matches("/a"))
    #expect(try PathPrefix(parsing: prefix.description) == prefix)
    #expect(prefix != "/*")
  }

  @Test(
    "one look-up step",
    arguments: [
      ("/a=>/b", "/a", "/b"), ("/a=>/b", "/a/c/d", "/b/c/d"), ("/a=>/b", "/x", "~"), ("/a=>/b", "/", "~"),
      ("/a/b=>/c", "/a", "~"), ("/ => /b", "/x/y", "/b/x/y"), ("/ => /b", "/", "/b"), ("/a=>/", "/a/x", "/x"),
      ("/a=>/b;/a=>/c", "/a/x", "/c/x | /b/x"),
      // Later wins, however specific the earlier one is.
      ("/a/b=>/c;/a=>/d", "/a/b", "/d/b | /c"),
      ("/a=>/b;/a=>/b", "/a", "/b | /b"),
      ("/a/*/c=>/d", "/a/x/c/y", "/d/y"), ("/a/*/c=>/d", "/a/c", "~"), ("/*=>/d", "/a/x", "/d/x"), ("/*=>/d", "/", "~"),
      ("/a=>/b|0.5*/c&$", "/a/x", "/b/x | 0.5*/c/x & $"), ("/a=>~;/a=>~", "/a", "~ | ~"), ("/a=>!", "/a/b", "!"),
    ])
  func lookup(dtab: String, path: String, tree: String) throws {
    #expect(try Dtab(parsing: dtab).lookup(Path(parsing: path)) == Tree(parsing: tree))
  }

  @Test("matches tells which entries, last first")
  func matches() {
    let dtab: Dtab = "/a=>/1;/b=>/2;/*=>/3;/a/x=>/4"
    let matches = dtab.matches("/a/x")
    #expect(matches.map(\.index) == [3, 2, 0])
    #expect(matches.map(\.tree) == [.leaf("/4"), .leaf("/3/x"), .leaf("/1/x")])
  }

  @Test("the right table of a sum goes first")
  func sum() {
    let sum: Dtab = ("/a=>/1" as Dtab) + "/a=>/2"
    #expect(sum.description == "/a=>/1;/a=>/2")
    #expect(sum.lookup("/a").description == "/2 | /1")
    #expect(.empty + sum == sum)
    #expect(sum + .empty == sum)
  }
}
