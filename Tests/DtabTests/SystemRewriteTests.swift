import Dtab
import Testing

@Suite struct SystemRewriteTests {
  @Test(
    "the built-in rewriting namers",
    arguments: [
      ("/$/nil", "$"), ("/$/nil/x", "$"), ("/$/fail", "!"), ("/$/fail/x/y", "!"),
      ("/$/io.buoyant.rinet/80/web.example/r", "/$/inet/web.example/80/r"), ("/$/io.buoyant.rinet/80", "~"),
      ("/$/io.buoyant.hostportPfx/p/h:80/r", "/p/h/80/r"), ("/$/io.buoyant.hostportPfx/p/h:http-alt", "/p/h/http-alt"),
      ("/$/io.buoyant.hostportPfx/p/h", "~"), ("/$/io.buoyant.hostportPfx/p/a:b:80", "~"),
      ("/$/io.buoyant.hostportPfx/p/h:HTTP", "~"), ("/$/io.buoyant.hostportPfx/p/h:", "~"),
      ("/$/io.buoyant.hostportPfx/p/:80", "~"), ("/$/io.buoyant.hostportPfx/p/h:-x", "~"),
      (
        "/$/io.buoyant.hostportPfx/p/h:" + String(repeating: "9", count: 63),
        "/p/h/" + String(repeating: "9", count: 63)
      ),
      ("/$/io.buoyant.hostportPfx/p/h:" + String(repeating: "9", count: 64), "~"),
      ("/$/io.buoyant.porthostPfx/p/h:80/r", "/p/80/h/r"),
      ("/$/io.buoyant.http.domainToPathPfx/p/a.b.c/r", "/p/c/b/a/r"),
      ("/$/io.buoyant.http.domainToPathPfx/p/a.b:80", "/p/b:80/a"), ("/$/io.buoyant.http.domainToPathPfx/p", "~"),
      ("/$/io.buoyant.http.domainToPathPfx/p/a..b", "~"), ("/$/io.buoyant.http.domainToPathPfx/p/a.b.", "/p/b/a"),
      ("/$/io.buoyant.http.domainToPathPfx/p/a%b", "~"), ("/$/io.buoyant.http.domainToPathPfx/p/.", "~"),
      ("/$/io.buoyant.http.domainToPath/a.b.c/r", "/c/b/a/r"),
      ("/$/io.buoyant.http.subdomainOfPfx/example.org/p/web.example.org/r", "/p/web/r"),
      ("/$/io.buoyant.http.subdomainOfPfx/example.org/p/a.b.example.org:8080", "/p/a.b"),
      ("/$/io.buoyant.http.subdomainOfPfx/example.org/p/example.org", "~"),
      ("/$/io.buoyant.http.subdomainOfPfx/example.org/p/.example.org", "~"),
      ("/$/io.buoyant.http.subdomainOfPfx/example.org/p/web.example.com", "~"),
      ("/$/io.buoyant.http.subdomainOf/example.org/web.example.org/r", "/web/r"),
      ("/$/io.buoyant.http.anyMethod/GET/a", "/a"), ("/$/io.buoyant.http.anyMethod/get/a", "~"),
      ("/$/io.buoyant.http.anyMethod/GET", "/"), ("/$/io.buoyant.http.anyMethod", "~"),
      ("/$/io.buoyant.http.anyMethodPfx/p/POST/a", "/p/a"), ("/$/io.buoyant.http.anyHost/web:80/a", "/a"),
      ("/$/io.buoyant.http.anyHostPfx/p/web/a", "/p/a"), ("/$/io.buoyant.http.anyHostPfx/p/w%b/a", "~"),
    ])
  func rewrite(path: String, tree: String) throws {
    #expect(SystemRewrite.rewrite(try Path(parsing: path)) == (try Tree(parsing: tree)))
  }

  @Test(
    "other paths are not theirs",
    arguments: ["/", "/$", "/$/inet/h/80", "/$/io.buoyant.unknown/x", "/#/nil", "/svc/nil"])
  func others(path: String) throws {
    #expect(SystemRewrite.rewrite(try Path(parsing: path)) == nil)
  }

  @Test("each counts one step of depth, like an entry")
  func depth() {
    func namer(_ path: Path) -> LookupState<Path> {
      if let tree = SystemRewrite.rewrite(path) { return .tree(tree.map { .path($0) }) }
      return .tree(path.hasPrefix("/$/inet") ? .leaf(.bound(path)) : .neg)
    }
    let dtab: Dtab = "/svc => /$/io.buoyant.hostportPfx/at ; /at => /$/inet"
    #expect(bind("/svc/web:80", dtab: dtab, namer: namer) == .bound(.leaf("/$/inet/web/80")))
    let limits = BindLimits(depthMax: 3)
    #expect(bind("/svc/web:80", dtab: dtab, limits: limits, namer: namer) == .failed(.tooDeep("/$/inet/web/80")))
  }
}
