import Dtab
import Testing

@Suite struct DtabErrorTests {
  func failure(of text: String) -> DtabError? {
    do throws(DtabError) {
      _ = try Dtab(parsing: text)
      return nil
    } catch {
      return error
    }
  }

  @Test(
    "an error tells its place",
    arguments: [
      ("/a=>/b;;", 7, 1, 8), ("/a => /b ;\n/c => [x]", 17, 2, 7), ("/a=>", 4, 1, 5), ("/a => \n\n", 5, 1, 6),
      ("a", 0, 1, 1),
      ("/a=>/b\n/c=>/d", 7, 2, 1), ("# é\n/a=>/é", 10, 2, 6), ("/a=>0.5/b", 7, 1, 8), ("/a=>1.2.3*/b", 4, 1, 5),
      ("/a=>/b\\y", 6, 1, 7), ("/a=>/b/", 7, 1, 8),
    ])
  func place(text: String, offset: Int, line: Int, column: Int) throws {
    let error = try #require(failure(of: text))
    #expect(error.offset == offset)
    #expect(error.line == line)
    #expect(error.column == column)
    #expect(error.description.hasPrefix("line \(line), column \(column): "))
  }

  @Test(
    "an error tells what was expected and what to do",
    arguments: [
      ("/a=>/b;;", "expected an entry such as `/svc => /host`, but found `;`. Remove this `;`: it ends no entry."),
      ("/a=>/b/", "expected a label behind `/`, but the text ends here. A path does not end in `/`: remove it."),
      (
        "/a=>/b\n/c=>/d",
        "expected `;`, `|`, `&` or the end of the dtab, but found `/`. Is a `;` missing in front of it?"
      ),
      (
        "/a=>/b # x;\n/c=>/d",
        "expected `;`, `|`, `&` or the end of the dtab, but found `/`. The comment before it runs to the end of its line, "
          + "`;` included: put the `;` in front of the `#`."
      ),
      ("/a = > /b", "expected `=>` behind the prefix /a, but found `=`. Write `=>` in one piece."),
      (
        "/a=>$/inet/h/80",
        "expected an operator or the end behind `$`, the empty tree, but found `/`. A system name begins with `/$/`."
      ),
      (
        "/a=>/$/inet/[::1]/80",
        "expected a label behind `/`, but found `[`. In a label this byte is written `\\x5b`."
      ),
      (
        "/a=>/b*",
        "expected `;`, `|`, `&` or the end of the dtab, but found `*`. `*` stands only for a whole element of a "
          + "prefix; a star inside a label is written `\\x2a`."
      ),
      ("/a=>0.3 /b", "expected `*` between a weight and its name, but found `/`. Write it as `0.3 * /name`."),
      ("/a=>web", "expected a path, `~`, `!`, `$` or `(`, but found `w`. A path begins with `/`."),
      (
        "/a=>/caf\u{e9}",
        "expected `;`, `|`, `&` or the end of the dtab, but found `é`. In a label this is written `\\xc3\\xa9`."
      ),
      ("/a=>1..2*/b", "`1..2` is no weight. Write digits with at most one dot, as in `0.3`."),
      ("/a=>/\\X41", "`\\` begins an escape. Write `\\x` in lower case and two hexadecimal digits, as in `\\x2f`."),
      ("/a=>/b,/c=>/d", "expected `;`, `|`, `&` or the end of the dtab, but found `,`. Entries are separated by `;`."),
      ("/a//b=>/c", "expected a label behind `/`, but found `/`. An empty element does not exist: remove one `/`."),
      (
        "/a=>//b",
        "expected a label or the end of the path `/`, but found `/`. An empty element does not exist: remove one `/`."
      ),
    ])
  func message(text: String, message: String) throws {
    #expect(try #require(failure(of: text)).message == message)
  }

  @Test("the caret stands under the place")
  func caret() throws {
    let text = "/ok => /fine ;\n\t/a => [x] ;\n"
    #expect(try #require(failure(of: text)).caret(in: text) == "\t/a => [x] ;\n\t      ^")
    let accent = "# é\n/é=>/a"
    #expect(try #require(failure(of: accent)).caret(in: accent) == "/é=>/a\n ^")
    #expect(try #require(failure(of: "/a=>")).caret(in: "/a=>") == "/a=>\n    ^")
    #expect(try #require(failure(of: "/a=>[\r\n")).caret(in: "/a=>[\r\n") == "/a=>[\n    ^")
  }

  @Test("of a long line the caret shows the surroundings")
  func longLine() throws {
    let text =
      String(repeating: "/svc => /host ; ", count: 500) + "/a => [ ; " + String(repeating: "/b=>/c;", count: 100)
    let shown = try #require(failure(of: text)).caret(in: text).split(separator: "\n").map(Array.init)
    #expect(shown[0].count == 102)
    #expect(shown[0][shown[1].count - 1] == "[")
    #expect(shown[1].last == "^")
  }
}
