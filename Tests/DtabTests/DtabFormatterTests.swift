import Dtab
import MeshBase
import Testing

@Suite struct DtabFormatterTests {
  @Test(
    "entries get a line each with their arrows in a column, and comments stay",
    arguments: [
      ("", ""), ("# nothing yet  \n", "# nothing yet\n"), ("/a=>/b", "/a => /b;\n"),
      ("/a=>/b;/long/er=>/c|/d", "/a       => /b;\n/long/er => /c | /d;\n"),
      ("# head\n\n\n/a=>/b ; # why\n# next\n/long=>/d", "# head\n\n/a => /b;  # why\n# next\n/long => /d;\n"),
      ("/a=>/b # x\n;/c=>/d # y\n# end", "/a => /b;  # x\n/c => /d;  # y\n# end\n"),
      ("/a # inner\n=> # too\n/b;", "# inner\n# too\n/a => /b;\n"),
      ("\n\n/a=>/b;\n\n\n\n/c=>/d;\n\n", "/a => /b;\n\n/c => /d;\n"),
      ("/a=>/b\n;\n/c=>/d", "/a => /b;\n/c => /d;\n"),
      ("/a=>/b;\r\n/c=>/d # z\r\n", "/a => /b;\n/c => /d;  # z\n"),
    ])
  func format(text: String, layout: String) throws {
    #expect(try formatted(dtab: text) == layout)
    #expect(try formatted(dtab: layout) == layout)
    #expect(try Dtab(parsing: layout) == Dtab(parsing: text))
  }

  @Test("alternatives that make a long line get a line each")
  func long() throws {
    let name = "/" + String(repeating: "x", count: 60)
    let text = "/svc=>\(name)|(\(name)|~)|\(name)&!"
    let layout = try formatted(dtab: text)
    #expect(layout == "/svc => \(name)\n      | (\(name) | ~)\n      | \(name) & !;\n")
    #expect(try Dtab(parsing: layout) == Dtab(parsing: text))
    #expect(try Dtab(parsing: text).pretty == layout)
  }

  @Test("a text that is no dtab is not formatted")
  func refuse() {
    #expect(throws: DtabError.self) { try formatted(dtab: "/a=>/b;;") }
  }

  @Test("an entry a line, arrows in one column, a blank line ends the column")
  func columns() throws {
    let text = "/a=>/b;/longer => 9*/x&1*/y;\n\n\n\n/c=>/d | ~"
    #expect(
      try formatted(dtab: text) == """
        /a      => /b;
        /longer => 9 * /x & 1 * /y;

        /c => /d | ~;

        """)
  }

  @Test("comments stay where they are said")
  func comments() throws {
    let text = """
      # first

      /a => /b ; # behind
      /c => # inside
            /#/io.l5d.fs#x ;
      # last
      """
    #expect(
      try formatted(dtab: text) == """
        # first

        /a => /b;  # behind
        # inside
        /c => /#/io.l5d.fs#x;
        # last

        """)
  }

  @Test("nothing and comments alone are valid")
  func empty() throws {
    #expect(try formatted(dtab: "") == "")
    #expect(try formatted(dtab: " \n\n") == "")
    #expect(try formatted(dtab: "\n# only ; this\n\n") == "# only ; this\n")
  }

  @Test("an error keeps its place")
  func errors() {
    #expect(throws: DtabError.self) { try formatted(dtab: "/a => /b;\n/c = /d") }
  }

  @Test("formatting keeps the dtab and is stable, whatever stands between the tokens")
  func law() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededRandom(seed: seed)
    let gaps = ["", " ", "\n", "\n\n", " # note ; with\n", "\t", "\r\n", "\n# a\n# b\n"]
    let trees = [
      "/x", "~", "!", "/#/fs/a", "2 * /x & .5 * /y", "(/x | /y) & /z", "/x | /y | ~", "$",
      "0.125 * /x & 10 * (/y & /z)",
    ]
    for _ in 0..<2_000 {
      var text = ""
      for _ in 0..<(random.next() % 5) {
        func gap() -> String { gaps[Int(random.next() % UInt64(gaps.count))] }
        let tree = trees[Int(random.next() % UInt64(trees.count))]
        // A `#` right behind a label would belong to it.
        text += gap() + "/p" + String(random.next() % 1_000) + " " + gap() + "=>" + gap() + tree + " " + gap() + ";"
        text += gap()
      }
      let once = try formatted(dtab: text)
      #expect(try Dtab(parsing: once) == Dtab(parsing: text), "seed \(seed): \(text.debugDescription)")
      #expect(try formatted(dtab: once) == once, "seed \(seed): \(text.debugDescription)")
      #expect(once.count { $0 == "#" } == text.count { $0 == "#" }, "seed \(seed): \(text.debugDescription)")
    }
  }
}
