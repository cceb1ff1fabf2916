import Dtab
import TestSupport
import Testing

/// Answers for `/#/fs/NAME/rest` with `NAME+/rest`, unless the name says something else.
func testNamer(_ path: Path) -> LookupState<String> {
  guard path.hasPrefix("/#/fs"), path.count >= 3 else { return .tree(.neg) }
  let residual = path.dropFirst(3)
  switch path[2].text {
  case "pending": return .pending
  case "broken": return .failed("no connection")
  case "none": return .tree(.neg)
  case "stop": return .tree(.fail)
  case "nobody": return .tree(.empty)
  case "again": return .tree(.leaf(.path("/again" + residual)))
  case "either": return .tree(.alt([.leaf(.path("/missing")), .leaf(.bound("either"))]))
  case "split": return .tree(.union([Weighted(3, .leaf(.bound("s1"))), Weighted(1, .leaf(.path("/#/fs/web")))]))
  case let name: return .tree(.leaf(.bound(residual.isEmpty ? name : "\(name)+\(residual)")))
  }
}

func show(_ state: BindState<String>) -> String {
  switch state {
  case .pending: "pending"
  case .bound(let tree): tree.printed { $0 }
  case .failed(let failure): "failed: \(failure)"
  }
}

@Suite struct BindTests {
  @Test(
    "binding",
    arguments: [
      ("/svc=>/#/fs", "/svc/web", "web"), ("/svc=>/#/fs", "/svc/web/a/b", "web+/a/b"), ("/svc=>/#/fs", "/other", "~"),
      ("", "/#/fs/web", "web"), ("/svc=>/host;/host=>/#/fs", "/svc/web", "web"),
      // Alternation.
      ("/svc=>/#/fs/none|/#/fs/b", "/svc", "b"), ("/svc=>/#/fs/nobody|/#/fs/b", "/svc", "$"),
      ("/svc=>/#/fs/stop|/#/fs/b", "/svc", "!"), ("/svc=>!|/#/fs/b", "/svc", "!"), ("/svc=>$|/#/fs/b", "/svc", "$"),
      ("/svc=>/#/fs/pending|/#/fs/b", "/svc", "pending"), ("/svc=>/#/fs/b|/#/fs/pending", "/svc", "b"),
      ("/svc=>/#/fs/broken|/#/fs/b", "/svc", "failed: /#/fs/broken: no connection"),
      ("/svc=>/#/fs/b|/#/fs/broken", "/svc", "b"), ("/svc=>~|~", "/svc", "~"),
      ("/svc=>/#/fs/a;/svc=>/#/fs/none", "/svc", "a"), ("/svc=>/#/fs/a;/svc=>!", "/svc", "!"),
      // Union.
      ("/svc=>0.3*/#/fs/a&0.7*/#/fs/b", "/svc", "0.30*a & 0.70*b"), ("/svc=>0.3*/#/fs/a&0.7*/#/fs/none", "/svc", "a"),
      ("/svc=>/#/fs/a&/#/fs/stop", "/svc", "a"), ("/svc=>/#/fs/stop&/#/fs/stop|/#/fs/b", "/svc", "b"),
      ("/svc=>/#/fs/a&/#/fs/nobody", "/svc", "a & $"), ("/svc=>/#/fs/a&/#/fs/broken", "/svc", "a"),
      ("/svc=>/#/fs/a&/#/fs/pending", "/svc", "a"), ("/svc=>/#/fs/none&/#/fs/broken", "/svc", "~"),
      ("/svc=>/#/fs/none&/#/fs/pending|/#/fs/b", "/svc", "b"),
      ("/svc=>/#/fs/pending&/#/fs/broken", "/svc", "failed: /#/fs/broken: no connection"),
      ("/svc=>/#/fs/pending&/#/fs/pending", "/svc", "pending"),
      ("/svc=>/#/fs/a&(/#/fs/none|/#/fs/b&/#/fs/c)", "/svc", "a & (b & c)"),
      // A lone neg is the same as no entry, two are not.
      ("/#/fs/web=>~", "/#/fs/web", "web"), ("/#/fs/web=>(~)", "/#/fs/web", "web"),
      ("/#/fs/web=>~;/#/fs/web=>~", "/#/fs/web", "~"), ("/#/fs/web=>~|~", "/#/fs/web", "~"),
      ("/#/fs/web=>!", "/#/fs/web", "!"),
      // The dtab may rewrite what belongs to a namer.
      ("/#/fs=>/#/other;/#/other/web=>/$/x", "/#/fs/web", "~"),
      // What a namer answers.
      ("/again=>/#/fs", "/#/fs/again/web", "web"), ("", "/#/fs/either", "either"), ("", "/#/fs/split", "3.00*s1 & web"),
    ])
  func binding(dtab: String, path: String, result: String) throws {
    let (dtab, path) = try (Dtab(parsing: dtab), Path(parsing: path))
    #expect(show(bind(path, dtab: dtab, namer: testNamer)) == result)
    #expect(show(delegate(path, dtab: dtab, namer: testNamer).state) == result)
  }

  @Test("a chain may have 100 look-ups, the namer's among them, and not one more")
  func depth() throws {
    for (rewrites, binds) in [(98, true), (99, true), (100, false), (150, false)] {
      let dtab = Dtab(
        (0..<rewrites).map { index in
          Dentry(
            PathPrefix(Path(labels: ["n\(index)"])),
            .leaf(index + 1 < rewrites ? Path(labels: ["n\(index + 1)"]) : "/#/fs/web"))
        })
      let state = bind("/n0", dtab: dtab, namer: testNamer)
      #expect((state == .bound(.leaf("web"))) == binds, "\(rewrites) rewrites")
      if rewrites == 100 { #expect(state == .failed(.tooDeep("/#/fs/web"))) }
    }
  }

  @Test("alternations, unions and parentheses cost no depth")
  func depthIsFree() throws {
    let dtab = Dtab(
      try (0..<99).map { index in
        let next = index < 98 ? "/n\(index + 1)" : "/#/fs/web"
        return try Dentry(parsing: "/n\(index) => ~ | (! & (~ | ((! & \(next)))))")
      })
    #expect(bind("/n0", dtab: dtab, namer: testNamer) == .bound(.leaf("web")))
  }

  @Test("a cycle fails; beside any bound sibling of a union it does not count")
  func cycle() throws {
    #expect(show(bind("/a", dtab: "/a=>/b;/b=>/a", namer: testNamer)).hasPrefix("failed: /a lies behind too many"))
    #expect(bind("/s", dtab: "/a=>/b;/b=>/a;/s=>/a & /#/fs/web", namer: testNamer) == .bound(.leaf("web")))
    #expect(bind("/s", dtab: "/a=>/b;/b=>/a;/s=>/a & ~ | /#/fs/web", namer: testNamer) == .bound(.leaf("web")))
    #expect(bind("/s", dtab: "/a=>/b;/b=>/a;/s=>/a | /#/fs/web", namer: testNamer) == .failed(.tooDeep("/b")))
  }

  @Test(
    "tables that double, nest or grow end within their budget",
    arguments: [
      (0..<20).map { "/n\($0) => /n\($0 + 1) & /n\($0 + 1)" }.joined(separator: ";"),
      (0..<20).map { "/n\($0) => /n\($0 + 1) | /n\($0 + 1)" }.joined(separator: ";"),
      "/n0 => /n0 & /n0", "/n0 => /n0 & ~", "/n0 => (/n0 & ~) | (/n0 & ~)",
      "/n0 => /n0/" + String(repeating: "x", count: 4_000) + " & /n0",
      "/n0 => " + String(repeating: "~ & (", count: 60) + "/n0" + String(repeating: ")", count: 60),
      String(repeating: "/n0 => /n0 & /n0;", count: 100),
    ])
  func budget(text: String) throws {
    let dtab = try Dtab(parsing: text)
    let clock = ContinuousClock()
    for path in ["/n0", "/n0/a/b"] as [Path] {
      var calls = 0
      let started = clock.now
      let state = bind(path, dtab: dtab) { path in
        calls += 1
        return testNamer(path)
      }
      // In debug under a loaded machine; a few milliseconds when optimised.
      #expect(clock.now - started < .seconds(patience(5)))
      #expect(calls <= 20_000)
      switch state {
      case .failed(.tooManyNodes), .bound(.neg): break
      default: Issue.record("\(show(state).prefix(200))")
      }
      _ = delegate(path, dtab: dtab, limits: BindLimits(nodesMax: 2_000), namer: testNamer)
    }
  }

  @Test("a doubling table says that it fans out")
  func budgetError() throws {
    let dtab = try Dtab(parsing: (0..<20).map { "/n\($0) => /n\($0 + 1) & /n\($0 + 1)" }.joined(separator: ";"))
    let state = bind("/n0", dtab: dtab, namer: testNamer)
    #expect(state == .failed(.tooManyNodes))
    #expect(show(state).contains("fans out"))
    // A sibling in a union does not hide it.
    #expect(bind("/s", dtab: dtab + "/s => /n0 & /#/fs/web", namer: testNamer) == .failed(.tooManyNodes))
    #expect(bind("/s", dtab: dtab + "/s => /#/fs/web & /n0", namer: testNamer) == .failed(.tooManyNodes))
  }

  @Test("the limits are what the caller says")
  func limits() {
    let small = BindLimits(depthMax: 2, nodesMax: 5)
    #expect(bind("/a", dtab: "/a=>/#/fs/web", limits: small, namer: testNamer) == .bound(.leaf("web")))
    #expect(bind("/a", dtab: "/a=>/b;/b=>/#/fs/web", limits: small, namer: testNamer) == .failed(.tooDeep("/#/fs/web")))
    #expect(bind("/a", dtab: "/a=>~|~|~|~|~|~", limits: small, namer: testNamer) == .failed(.tooManyNodes))
  }

  @Test("the namer is asked once for each path, and not for what routing does not reach")
  func asksOnce() {
    var asked: [Path] = []
    let state = bind("/s", dtab: "/s => (/#/fs/none & /#/fs/none) | /#/fs/web | /#/fs/late") { path in
      asked.append(path)
      return testNamer(path)
    }
    #expect(state == .bound(.leaf("web")))
    #expect(asked == ["/#/fs/none", "/#/fs/web"])
  }
}
