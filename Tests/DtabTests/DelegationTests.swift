import Dtab
import Testing

/// A node and what is below it in one line: kind, path, entry and the branches with their roles (`+` taken, `-` passed
/// over, `?` not reached).
func show(_ node: DelegationNode<String>) -> String {
  var text = "\(node.kind) \(node.path)"
  if let dentry = node.dentry { text += " #\(dentry.index)" }
  if let bound = node.bound { text += " = \(bound)" }
  if let message = node.message { text += " (\(message))" }
  if node.branches.isEmpty { return text }
  return text + " ["
    + node.branches.map { branch in
      let mark = branch.role == .taken ? "+" : branch.role == .passedOver ? "-" : "?"
      return mark + (branch.weight.map { "\($0)*" } ?? "") + show(branch.node)
    }.joined(separator: ", ") + "]"
}

@Suite struct DelegationTests {
  @Test(
    "a delegation shows each step and every alternative",
    arguments: [
      ("", "/#/fs/web", "leaf /#/fs/web = web"), ("", "/other", "neg /other"),
      ("/svc=>/#/fs", "/svc/web", "delegate /svc/web [+leaf /#/fs/web #0 = web]"),
      ("/svc=>/host;/host=>/#/fs", "/svc/web", "delegate /svc/web [+delegate /host/web #0 [+leaf /#/fs/web #1 = web]]"),
      (
        "/s=>/#/fs/none|/#/fs/a|/#/fs/b", "/s",
        "delegate /s [+alt /s #0 [-neg /#/fs/none #0, +leaf /#/fs/a #0 = a, ?leaf /#/fs/b #0 = b]]"
      ),
      ("/s=>/#/fs/a;/s=>~", "/s", "alt /s [-neg /s #1, +leaf /#/fs/a #0 = a]"),
      (
        "/s=>0.3*/#/fs/a&0.7*~&$", "/s",
        "delegate /s [+union /s #0 [+0.3*leaf /#/fs/a #0 = a, -0.7*neg /s #0, +1.0*empty /s #0]]"
      ),
      ("/s=>!", "/s", "delegate /s [+fail /s #0]"),
      (
        "/s=>/#/fs/broken", "/s",
        "delegate /s [+exception /#/fs/broken #0 (/#/fs/broken: no connection)]"
      ),
      ("/s=>/#/fs/pending", "/s", "delegate /s [+pending /#/fs/pending #0]"),
      (
        "/s=>/#/fs/either", "/s",
        "delegate /s [+delegate /#/fs/either #0 [+alt /#/fs/either [-neg /missing, +leaf /#/fs/either = either]]]"
      ),
    ])
  func tree(dtab: String, path: String, shown: String) throws {
    let node = delegate(try Path(parsing: path), dtab: try Dtab(parsing: dtab), namer: testNamer)
    #expect(show(node) == shown)
  }

  @Test("the route has the steps that routing takes and no others")
  func route() {
    let dtab: Dtab = "/srv=>/#/fs;/svc=>/missing|/srv|/#/fs/late;/svc/web=>0.9*/srv/web&0.1*/#/fs/none/x"
    let node = delegate("/svc/web", dtab: dtab, namer: testNamer)
    #expect(node.state == .bound(.leaf("web")))
    #expect(
      node.route.map { "\($0.level) \($0.node.kind) \($0.node.path)" } == [
        "0 alt /svc/web", "1 union /svc/web", "2 delegate /srv/web", "3 leaf /#/fs/web",
      ])
    #expect(node.steps.filter { $0.role == .notReached }.map { $0.node.path.description }.contains("/#/fs/late/web"))
    #expect(node.steps.filter { $0.role == .passedOver }.map(\.node.path) == ["/#/fs/none/x"])
  }

  @Test("alternatives behind the answer cannot use up the answer's budget")
  func spare() {
    let dtab: Dtab = "/s => /#/fs/web | /n0; /n0 => /n0 & /n0"
    let node = delegate("/s", dtab: dtab, namer: testNamer)
    #expect(node.state == .bound(.leaf("web")))
    #expect(node.steps.count < 50_000)
    #expect(node.steps.contains { $0.node.kind == .exception })
  }
}
