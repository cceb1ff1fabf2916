import Dtab
import Foundation
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

/// A namer whose answers the test gives; the first label is the name.
@ControlActor
final class ScriptedNamer: Namer {
  let prefix: Path
  let kind = "test"
  private var lookups: [Path: Weak] = [:]
  /// By first label; other names are pending.
  var answers: [String: Answer] = [:]
  var sources: [Path: EndpointSource] = [:]

  enum Answer {
    case bound
    case neg
  }

  private struct Weak {
    weak var lookup: NameLookup?
  }

  init(_ prefix: Path) { self.prefix = prefix }

  var openPaths: [Path] { lookups.filter { $0.value.lookup != nil }.keys.sorted() }

  func lookup(_ rest: Path) -> NameLookup {
    let lookup =
      switch rest.first.flatMap({ answers[$0.text] }) {
      case .bound: NameLookup(.tree(leaf(rest)))
      case .neg: NameLookup(.tree(.neg))
      case nil: NameLookup()
      }
    lookups[rest] = Weak(lookup: lookup)
    return lookup
  }

  /// The leaf that the first label of `rest` binds to.
  func leaf(_ rest: Path) -> NameTree<NamerAnswer<BoundName>> {
    let id = prefix + rest.prefix(1)
    let source = sources[id] ?? EndpointSource(.bound([]))
    sources[id] = source
    return .leaf(.bound(BoundName(id: id, residual: rest.dropFirst(), endpoints: source)))
  }

  func publish(_ rest: Path, _ tree: NameTree<NamerAnswer<BoundName>>? = nil) {
    lookups[rest]?.lookup?.publish(tree ?? leaf(rest))
  }

  func fail(_ rest: Path, _ text: String) { lookups[rest]?.lookup?.fail(text) }

  func nearNames(to rest: Path, limit: Int) -> [Path] {
    let known = answers.keys.sorted().map { Path(labels: [$0]) }
    return nearPaths(to: rest, among: known, limit: limit).map { prefix + $0 }
  }

  func state() -> NamerState { NamerState(kind: kind, prefix: prefix) }
}

extension NamersTests {
  @Suite("the interpreter", .serialized)
  @ControlActor
  struct InterpreterTests {
    let a = ScriptedNamer("/#/a")
    let b = ScriptedNamer("/#/b")

    func interpreter(_ dtab: Dtab, _ transformers: [Transformer] = []) -> Interpreter {
      for namer in [a, b] {
        namer.answers = ["web": .bound, "api": .bound, "none": .neg]
      }
      return Interpreter(
        namers: NamerRegistry(namers: [a, b], resolver: offlineResolver()), dtab: dtab, transformers: transformers)
    }

    @Test("a name is bound through the dtab at once when the namers know")
    func simple() {
      let binding = interpreter("/svc=>/#/a").bind("/svc/web")
      #expect(binding.shown == "/#/a/web")
      #expect(binding.lastGood != nil)
    }

    @Test("a pending name is bound when its namer has answered, and observers hear of it once")
    func pending() async {
      let binding = interpreter("/svc=>/#/a").bind("/svc/late/rest")
      #expect(binding.shown == "pending")
      var calls = 0
      let token = binding.observe { calls += 1 }
      a.publish("/late/rest", .neg)
      a.publish("/late/rest")
      #expect(await eventually { binding.shown == "/#/a/late+/rest" })
      try? await ControlActor.sleep(milliseconds: 10)
      #expect(calls == 1)
      token.cancel()
    }

    @Test("a new dtab binds again what it affects, and only that is told")
    func dtabChange() async {
      let interpreter = interpreter("/svc=>/#/a;/other=>/#/a")
      let web = interpreter.bind("/svc/web")
      let other = interpreter.bind("/other/web")
      var calls = 0
      let tokens = [web.observe { calls += 1 }, other.observe { calls += 100 }]
      interpreter.dtab = "/svc=>/#/b;/other=>/#/a"
      interpreter.dtab = "/svc=>1*/#/a & 3*/#/b;/other=>/#/a"
      #expect(await eventually { calls > 0 })
      #expect(web.shown == "/#/a/web & 3.00*/#/b/web")
      #expect(calls == 1)
      interpreter.dtab = "/other=>/#/a"
      #expect(await eventually { web.shown == "~" })
      for token in tokens { token.cancel() }
    }

    @Test("an alternation fails over when the first name becomes neg, and back")
    func failover() async {
      let interpreter = interpreter("/svc=>/#/a | /#/b")
      let binding = interpreter.bind("/svc/late")
      #expect(binding.shown == "pending")
      a.publish("/late")
      #expect(await eventually { binding.shown == "/#/a/late" })
      #expect(a.openPaths == ["/late"] && b.openPaths.isEmpty, "what is not needed is not asked")
      a.publish("/late", .neg)
      // The second is only asked now: until it answers, the last good tree stays.
      #expect(await eventually { binding.shown.hasPrefix("stale /#/a/late: ") })
      b.publish("/late")
      #expect(await eventually { binding.shown == "/#/b/late" })
      a.publish("/late")
      #expect(await eventually { binding.shown == "/#/a/late" })
      #expect(await eventually { b.openPaths.isEmpty }, "no longer needed")
    }

    @Test("losing a namer never unbinds; what it says later counts")
    func lastGood() async {
      let interpreter = interpreter("/svc=>/#/a")
      let binding = interpreter.bind("/svc/late")
      a.fail("/late", "connection refused")
      #expect(await eventually { binding.shown == "failed: /#/a/late: connection refused" })
      a.publish("/late")
      #expect(await eventually { binding.shown == "/#/a/late" })
      a.fail("/late", "connection refused")
      try? await ControlActor.sleep(milliseconds: 10)
      #expect(binding.shown == "/#/a/late")
      #expect(binding.namerFailures.map(\.path) == ["/#/a/late"])
      #expect(binding.namerFailures.map(\.failure.text) == ["connection refused"])
      a.publish("/late", .neg)
      #expect(await eventually { binding.shown == "~" })
      #expect(binding.namerFailures.isEmpty)
    }

    @Test("a dtab edit that cannot be bound leaves the last good tree in force and says why")
    func staleEdit() async {
      let interpreter = interpreter("/svc=>/#/a")
      let binding = interpreter.bind("/svc/web")
      interpreter.dtab = "/svc=>/$/io.buoyant.rinnet/80"
      #expect(
        await eventually {
          binding.shown.hasPrefix("stale /#/a/web: ") && binding.shown.contains("did you mean io.buoyant.rinet?")
        })
      interpreter.dtab = "/svc=>/#/a/late"
      #expect(await eventually { binding.shown == "stale /#/a/web: a namer has not answered yet" })
      a.publish("/late/web")
      #expect(await eventually { binding.shown == "/#/a/late+/web" })
      // A new holder gets the same.
      #expect(interpreter.bind("/svc/web").shown == "/#/a/late+/web")
    }

    @Test("a request's own entries go first; bindings are shared by name and entries")
    func overrides() {
      let interpreter = interpreter("/svc=>/#/a")
      let plain = interpreter.bind("/svc/web")
      let override = interpreter.bind("/svc/web", overrides: "/svc/web=>/#/b/api")
      #expect(plain.shown == "/#/a/web")
      #expect(override.shown == "/#/b/api")
      _ = interpreter.bind("/svc/web")
      #expect(interpreter.boundNames.count == 2)
      plain.close()
      override.close()
      #expect(plain.shown == "/#/a/web", "what it was")
    }

    @Test("closing the last holder stops the watching")
    func close() async {
      let interpreter = interpreter("/svc=>/#/a")
      let first = interpreter.bind("/svc/web")
      let second = interpreter.bind("/svc/web")
      first.close()
      #expect(a.openPaths == ["/web"])
      second.close()
      #expect(await eventually { a.openPaths.isEmpty })
      #expect(interpreter.boundNames.isEmpty)
    }

    @Test("loops and explosions end with their error")
    func limits() {
      let loop = interpreter("/a=>/b;/b=>/a").bind("/a")
      guard case .failed(.tooDeep) = loop.state else {
        Issue.record("\(loop.shown)")
        return
      }
      let doubling = (0..<20).map { "/n\($0)=>/n\($0 + 1) & /n\($0 + 1)" }.joined(separator: ";")
      let started = Clock.now
      let exploding = interpreter(try! Dtab(parsing: doubling + ";/n20=>/#/a/web")).bind("/n0")
      #expect(exploding.outcome == .failed(.tooManyNodes))
      #expect(Clock.now.nanoseconds(since: started) < patience(5_000_000_000))
    }

    @Test("namers configured later go first, neg falls to the next one, then to the system")
    func order() async {
      let general = ScriptedNamer("/#/x")
      let special = ScriptedNamer("/#/x/y")
      let dollar = ScriptedNamer("/$")
      let registry = NamerRegistry(namers: [general, special, dollar], resolver: offlineResolver())
      let lookup = registry.lookup("/#/x/y/z")
      #expect(special.openPaths == ["/z"] && general.openPaths.isEmpty)
      special.publish("/z", .neg)
      general.publish("/y/z")
      #expect(lookup.bound?.id == "/#/x/y")
      special.publish("/z")
      #expect(lookup.bound?.id == "/#/x/y/z")
      #expect(general.openPaths.isEmpty)
      let system = registry.lookup("/$/inet/127.0.0.1/80")
      #expect(system.state == .pending)
      dollar.publish("/inet/127.0.0.1/80", .neg)
      #expect(system.bound?.id == "/$/inet/127.0.0.1/80")
      #expect(registry.lookup("/#/nobody/z").isNeg)
      #expect(registry.lookup("/svc/z").isNeg)
    }

    @Test("the system's names")
    func system() {
      let interpreter = interpreter("/svc=>/#/a")
      #expect(interpreter.bind("/$/nil/x").shown == "$")
      #expect(interpreter.bind("/$/fail/x").shown == "!")
      #expect(interpreter.bind("/$/io.buoyant.rinet/80/127.0.0.1/r").shown == "/$/inet/127.0.0.1/80+/r")
      #expect(interpreter.bind("/$/io.buoyant.hostportPfx/svc/h:80").shown == "pending")
      #expect(interpreter.bind("/$/io.buoyant.http.domainToPathPfx/svc/x.web").shown == "/#/a/web+/x")
      #expect(interpreter.bind("/$").shown == "~")
      #expect(interpreter.bind("/$/inet/x").shown == "~")
      #expect(interpreter.bind("/$/fxiedinet/h/80").shown.contains("did you mean fixedinet?"))
    }

    @Test("a rewrite namer's answer is bound again; static names take the longest match")
    func rewriteAndStatic() throws {
      let pattern = try RewritePattern(pattern: "/{service}.{env}/*", name: "/env/{env}/{service}")
      let entries = [HostEntry(host: "127.0.0.1", port: 1), HostEntry(host: "::1", port: 2, weight: 3)]
      let fixed = StaticNamer(
        names: ["/web": entries, "/web/v2": [HostEntry(host: "127.0.0.1", port: 3)]], resolver: offlineResolver())
      let registry = NamerRegistry(namers: [RewriteNamer(pattern: pattern), fixed], resolver: offlineResolver())
      let interpreter = Interpreter(namers: registry, dtab: "/svc=>/#/io.l5d.rewrite;/env/prod=>/#/io.l5d.static")
      let binding = interpreter.bind("/svc/web.prod/x")
      #expect(binding.shown == "/#/io.l5d.static/web")
      #expect(interpreter.bind("/svc/web").shown == "~")
      #expect(interpreter.bind("/#/io.l5d.static/web/v2/r").shown == "/#/io.l5d.static/web/v2+/r")
      #expect(interpreter.bind("/#/io.l5d.static/web/v3").shown == "/#/io.l5d.static/web+/v3")
      #expect(interpreter.bind("/#/io.l5d.static/none").shown == "~")
      #expect(registry.lookup("/#/io.l5d.static/web").bound?.endpoints.shown == ["127.0.0.1:1", "[::1]:2*3.0"])
      #expect(registry.states().map(\.kind) == ["io.l5d.rewrite", "io.l5d.static"])
    }

    @Test("an explanation comes to what routing does, waits for namers and offers near names")
    func delegate() async throws {
      let interpreter = interpreter("/svc=>/#/a;/svc=>/#/b/none")
      let explanation = await interpreter.delegate("/svc/web")
      #expect(explanation.root.state == interpreter.bind("/svc/web").outcome)
      #expect(explanation.isComplete)
      #expect(explanation.root.route.last?.node.kind == .leaf)
      async let waiting = interpreter.delegate("/#/a/late")
      #expect(await eventually { a.openPaths.contains("/late") })
      a.publish("/late")
      #expect(await waiting.root.kind == .leaf)
      let late = await interpreter.delegate("/#/a/never", timeoutMilliseconds: 20)
      #expect(!late.isComplete && late.root.kind == .pending)
      a.answers["wbe"] = .neg
      let near = await interpreter.delegate("/#/a/wbe")
      #expect(near.nearNames["/#/a/wbe"] == ["/#/a/web"])
      let prefix = await interpreter.delegate("/#/c/web")
      #expect(prefix.nearNames["/#/c/web"]?.sorted() == ["/#/a", "/#/b"])
    }

    @Test("live bindings are counted for each entry they go through")
    func counts() {
      let interpreter = interpreter("/svc=>/#/a;/svc/api=>/#/b/api;/unused=>/svc")
      let bindings = ["/svc/web", "/svc/api", "/svc/api/x"].map { interpreter.bind($0) }
      #expect(interpreter.bindingsPerEntry() == [1, 2, 0])
      _ = bindings
    }

    @Test("2,000 bindings follow a dtab edit without holding up the control thread")
    func manyBindings() async {
      let interpreter = interpreter("/svc=>/#/a/web")
      let bindings = (0..<2_000).map { interpreter.bind(Path(labels: ["svc", "n\($0)"])) }
      interpreter.dtab = "/svc=>/#/b/web"
      var slowest: UInt64 = 0
      let done: @ControlActor () -> Bool = {
        bindings.allSatisfy { if case .bound(.leaf(let name)) = $0.state { name.id == "/#/b/web" } else { false } }
      }
      for _ in 0..<20 {
        let before = Clock.now
        try? await ControlActor.sleep(milliseconds: 5)
        slowest = max(slowest, Clock.now.nanoseconds(since: before))
      }
      #expect(await eventually(withinMilliseconds: 10_000) { done() })
      #expect(slowest < patience(500_000_000))
    }

    @Test("random edits, answers and failures leave each binding at what binding anew gives")
    func law() async {
      let seed = UInt64.random(in: .min ... .max)
      var random = SeededRandom(seed: seed)
      let interpreter = interpreter("/svc=>/#/a")
      let targets = ["/#/a", "/#/b", "/#/a | /#/b", "/#/b & 2*/#/a", "/#/a/none | /#/b", "~", "/$/nil", "/svc2"]
      let bindings = ["web", "api", "x", "y"].map { interpreter.bind(Path(labels: ["svc", $0])) }
      for _ in 0..<200 {
        switch random.next() % 3 {
        case 0:
          let target = targets[Int(random.next() % UInt64(targets.count))]
          interpreter.dtab = try! Dtab(parsing: "/svc2=>/#/b;/svc=>\(target)")
        case 1:
          let name = Path(labels: [["x", "y"][Int(random.next() % 2)]])
          let namer = random.next() % 2 == 0 ? a : b
          namer.publish(name, random.next() % 3 == 0 ? .neg : nil)
        default:
          let namer = random.next() % 2 == 0 ? a : b
          namer.fail("/x", "lost")
        }
        try? await ControlActor.sleep(milliseconds: 2)
        for binding in bindings {
          guard case .bound(let tree) = await interpreter.delegate(binding.path, timeoutMilliseconds: 0).root.state
          else { continue }
          #expect(binding.state.tree == tree, "seed \(seed)")
        }
      }
    }
  }

  @Suite("transformers", .serialized)
  @ControlActor
  struct TransformerTests {
    let fixed = StaticNamer(
      names: [
        "/web": [
          HostEntry(host: "127.0.0.1", port: 1), HostEntry(host: "192.0.2.7", port: 2, weight: 2),
          HostEntry(host: "192.0.2.7", port: 3),
        ],
        "/far": [HostEntry(host: "192.0.2.8", port: 1)],
      ], resolver: offlineResolver())

    func bound(_ path: Path, _ transformers: [Transformer]) -> [BoundName] {
      let registry = NamerRegistry(
        namers: [TransformedNamer(fixed, transformers: transformers)], resolver: offlineResolver())
      let binding = Interpreter(namers: registry).bind(path)
      var leaves: [BoundName] = []
      binding.state.tree?.forEachLeaf { leaves.append($0) }
      return leaves
    }

    @Test("port replaces the port; endpoints that then are one count once")
    func port() {
      let bound = bound("/#/io.l5d.static/web/r", [.port(4140)])
      #expect(bound.map(\.id) == ["/%/io.l5d.port/4140/#/io.l5d.static/web"])
      #expect(bound.map(\.residual) == ["/r"])
      #expect(bound.first?.endpoints.shown == ["127.0.0.1:4140", "192.0.2.7:4140*2.0"])
    }

    @Test("localhost keeps what is on this host, specificHost what is on that one; none left is neg")
    func filters() {
      let local = bound("/#/io.l5d.static/web", [.localhost]).first
      #expect(local?.id == "/%/io.l5d.localhost/#/io.l5d.static/web")
      #expect(local?.endpoints.shown == ["127.0.0.1:1"])
      #expect(bound("/#/io.l5d.static/far", [.localhost]).first?.endpoints.current == .neg)
      let specific = bound("/#/io.l5d.static/web", [.specificHost(SocketAddress(ip: "192.0.2.7", port: 0)!)]).first
      #expect(specific?.id == "/%/io.l5d.specificHost/192.0.2.7/#/io.l5d.static/web")
      #expect(specific?.endpoints.shown == ["192.0.2.7:2*2.0", "192.0.2.7:3"])
    }

    @Test("transformers apply in order, each before the id so far")
    func order() {
      let bound = bound("/#/io.l5d.static/web", [.localhost, .port(4140)]).first
      #expect(bound?.id == "/%/io.l5d.port/4140/%/io.l5d.localhost/#/io.l5d.static/web")
      #expect(bound?.endpoints.shown == ["127.0.0.1:4140"])
    }

    @Test("replace swaps bound leaves and leaves neg; const takes anything")
    func replace() {
      let replaced = bound("/#/io.l5d.static/web/r", [.replace("/$/inet/127.0.0.1/4140")])
      #expect(replaced.map(\.id) == ["/%/io.l5d.replace/$/inet/127.0.0.1/4140"])
      #expect(replaced.first?.endpoints.shown == ["127.0.0.1:4140"])
      #expect(bound("/#/io.l5d.static/none", [.replace("/$/inet/127.0.0.1/4140")]).isEmpty)
      #expect(
        bound("/#/io.l5d.static/none", [.const("/$/inet/127.0.0.1/4140")]).map(\.id)
          == ["/%/io.l5d.const/$/inet/127.0.0.1/4140"])
    }

    @Test("on an interpreter they apply to whatever it binds, and follow its endpoints")
    func onInterpreter() async {
      let directory = TemporaryDirectory()
      directory.replace("web", "127.0.0.1 1\n")
      let namer = FsNamer(rootDirectory: directory.path, resolver: offlineResolver())
      let registry = NamerRegistry(namers: [namer], resolver: offlineResolver())
      let interpreter = Interpreter(namers: registry, dtab: "/svc=>/#/io.l5d.fs", transformers: [.port(4140)])
      let binding = interpreter.bind("/svc/web")
      #expect(binding.shown == "/%/io.l5d.port/4140/#/io.l5d.fs/web")
      guard case .bound(.leaf(let bound)) = binding.state else { return }
      #expect(bound.endpoints.shown == ["127.0.0.1:4140"])
      #expect(
        bound.endpoints
          === interpreter.bind("/svc/web/x").state.tree.flatMap { tree -> EndpointSource? in
            if case .leaf(let bound) = tree { bound.endpoints } else { nil }
          })
      directory.replace("web", "127.0.0.2 1\n")
      #expect(await eventually { bound.endpoints.shown == ["127.0.0.2:4140"] })
      directory.replace("web", "oops\n")
      #expect(await eventually { bound.endpoints.lastError != nil && bound.endpoints.staleSince != nil })
      #expect(bound.endpoints.shown == ["127.0.0.2:4140"])
      directory.remove("web")
      #expect(await eventually { binding.shown == "~" })
    }

    @Test("a path that leads back to its own transformer is a failure that says so")
    func loop() {
      let registry = NamerRegistry(
        namers: [TransformedNamer(fixed, transformers: [.replace("/#/io.l5d.static/far")])], resolver: offlineResolver()
      )
      let shown = Interpreter(namers: registry).bind("/#/io.l5d.static/web").shown
      #expect(shown.contains("leads back to the transformer"), "\(shown)")
    }

    @Test("nothing outlives its last holder, paths of transformers included")
    func holders() async {
      weak var registry: NamerRegistry?
      weak var interpreter: Interpreter?
      do {
        let transformed = TransformedNamer(fixed, transformers: [.replace("/$/inet/127.0.0.1/4140")])
        let owned = NamerRegistry(namers: [transformed], resolver: offlineResolver())
        let used = Interpreter(namers: owned, transformers: [.const("/#/io.l5d.static/web")])
        let binding = used.bind("/#/io.l5d.static/far")
        #expect(binding.shown == "/%/io.l5d.const/%/io.l5d.replace/$/inet/127.0.0.1/4140")
        registry = owned
        interpreter = used
      }
      #expect(await eventually { registry == nil && interpreter == nil })
    }

    @Test("names that a namer answers with are bound again before transformers see anything")
    func paths() throws {
      let rewrite = RewriteNamer(pattern: try RewritePattern(pattern: "/{x}", name: "/#/io.l5d.static/{x}"))
      let registry = NamerRegistry(
        namers: [fixed, TransformedNamer(rewrite, transformers: [.port(9)])], resolver: offlineResolver())
      #expect(Interpreter(namers: registry).bind("/#/io.l5d.rewrite/far").shown == "/#/io.l5d.static/far")
    }
  }
}
