import Testing

@testable import Config

@Suite("dtabs in a configuration")
struct DtabPlaceTests {
  /// The line and the column of the first error at `routers[0].dtab`, and what stands there.
  private func place(_ dtab: String) -> (String, Character?) {
    let text = "routers:\n- protocol: http\n  servers: [{}]\n" + dtab
    let loaded = load(text)
    guard let found = loaded.diagnostics.first(where: { $0.keyPath == "routers[0].dtab" && $0.severity == .error })
    else {
      return ("none of \(loaded.lines)", nil)
    }
    let line = Array(sourceLines(text)[found.line - 1])
    return ("\(found.line):\(found.column)", found.column <= line.count ? line[found.column - 1] : nil)
  }

  @Test("an error is told where it stands in the file, however the text is written")
  func places() {
    #expect(place("  dtab: /svc = /#/io.l5d.fs") == ("4:14", "="))
    #expect(place("  dtab: '/svc => /a;; /b'").0 == "4:21")
    #expect(place("  dtab: |\n    /svc => /a;\n    /b ! /c;\n") == ("6:8", "!"))
    #expect(place("  dtab: |\n\n\n    /svc => /a;\n      /b ! /c;\n") == ("8:10", "!"))
    #expect(place("  dtab: |2\n      /b ! /c;\n") == ("5:10", "!"))
    #expect(place("  dtab: >-\n    /svc => /a;\n    /b ! /c;\n") == ("6:8", "!"))
    #expect(place("  dtab:\n    /svc => /a;\n    /b ! /c;\n") == ("6:8", "!"))
    #expect(place("  dtab: \"/é ! /c\"") == ("4:11", "é"))
    #expect(place("  dtab: '/b ! /c'") == ("4:13", "!"))
    #expect(place("  dtab: |\r\n    /svc => /a;\r\n    /b ! /c;\r\n") == ("6:8", "!"))
    // The text ends too early: behind its last character.
    #expect(place("  dtab: /svc =>") == ("4:16", nil))
  }

  @Test("the transcript of a check reads as documented")
  func rendering() {
    let text = """
      routers:
      - protocol: http
        servers:
        - prot: 4140
        dtab: |
          /svc = /#/io.l5d.fs;
      admin:
        ip: 0.0.0.0
      namers:
      - kind: io.l5d.fs
        rootDir: disco
      """
    let loaded = load(text)
    let shown = loaded.diagnostics.filter { $0.severity != .hint }.terminalText(name: "/etc/m.yaml", text: text)
    #expect(
      shown.hasPrefix("/etc/m.yaml\n  4:5  error  routers[0].servers[0].prot: unknown key. Did you mean \"port\"?\n"))
    #expect(shown.contains("\n              4 |   - prot: 4140\n                      ^^^^\n"))
    #expect(shown.contains("(dtab line 1, column 6)"))
    #expect(shown.contains("\n  6:10 error  routers[0].dtab: expected `=>`"))
    #expect(shown.contains("\n              6 |     /svc = /#/io.l5d.fs;\n                           ^\n"))
    #expect(shown.contains("\n  8:7  warn   admin.ip: 0.0.0.0 without a token"))
  }

  @Test("paths to namers which do not exist are warned of, with near names")
  func names() {
    let loaded = load(
      """
      namers:
      - {kind: io.l5d.fs, rootDir: disco}
      routers:
      - protocol: http
        servers: [{}]
        dtab: |
          /a => /#/io.l5d.fs | /#/io.l5d.f/x;
          /svc => /#/io.l5d.marathon/y;
          /b => /$/inet/1.2.3.4/5 | /$/io.buoyant.rinet/80/x | /$/inte/1/2;
      """)
    #expect(loaded.configuration != nil)
    #expect(
      loaded.lines == [
        #"7:26 warning routers[0].dtab: no namer has the prefix /io.l5d.f: what leads there fails. Did you mean "/#/io.l5d.fs"?"#,
        #"8:13 warning routers[0].dtab: no namer has the prefix /io.l5d.marathon: what leads there fails. Add it to "namers"."#,
        #"9:58 warning routers[0].dtab: there is no built-in namer /$/inte: what leads there fails. Did you mean "inet"?"#,
      ])
  }

  @Test("a table that knows no name of its router is remarked")
  func prefixes() {
    func hints(_ dtab: String) -> Int {
      load(router("servers: [{}]\ndtab: \(dtab)")).hints.count { $0.contains("no entry begins with /svc") }
    }
    #expect(hints("/http => /$/nil") == 1)
    #expect(hints("/svc/web => /$/nil") == 0)
    #expect(hints("/*/web => /$/nil") == 0)
    #expect(hints("/ => /$/nil") == 0)
  }

  @Test("paths, patterns and names are parsed where they stand")
  func otherNames() {
    let loaded = load(
      """
      namers:
      - kind: io.l5d.rewrite
        pattern: /{a}/{b
        name: /x
      - kind: io.l5d.rewrite
        prefix: /r2
        pattern: /{a}
        name: /x/{c}
      - kind: io.l5d.static
        prefix: /#/s
        names: {/web: [127.0.0.1 80], ok: ["127.0.0.1:80"]}
      routers:
      - protocol: http
        dstPrefix: /s vc
        servers: [{}]
      """)
    #expect(loaded.lines.count == 6)
    let places = loaded.lines.map { $0.prefix { $0 != " " } }
    #expect(places == ["3:17", "8:12", "10:11", "11:11", "11:38", "14:17"], "\(loaded.lines)")
    #expect(loaded.lines.contains { $0.contains(#"Write "127.0.0.1 80"."#) })
    #expect(loaded.lines.contains { $0.contains(#"Write "/s"; dtabs say "/#/s"."#) })
  }
}
