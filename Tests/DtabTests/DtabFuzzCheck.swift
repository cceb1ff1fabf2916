import Dtab

/// What must hold for any bytes at all: the first line is taken as a path, the rest as a dtab, a tree and a pattern.
/// Traps where it does not, so that a fuzzer sees a crash.
func checkDtabLaws(_ bytes: [UInt8]) {
  let lines = bytes.split(separator: 0x0a, maxSplits: 1, omittingEmptySubsequences: false)
  let head = String(decoding: lines[0], as: UTF8.self)
  let text = lines.count > 1 ? String(decoding: lines[1], as: UTF8.self) : head

  let path = parsed(head) { text throws(DtabError) in try Path(parsing: text) } ?? "/svc/web"
  precondition(reparsed(path.description) { text throws(DtabError) in try Path(parsing: text) } == path)
  precondition(Path(path.labels) == path && path.prefix(1) + path.dropFirst(1) == path)
  if let tree = parsed(text, { text throws(DtabError) in try NameTree(parsing: text) }) {
    precondition(reparsed(tree.description) { text throws(DtabError) in try NameTree(parsing: text) } == tree)
    let simple = tree.simplified()
    precondition(simple.simplified() == simple && simple.evaluated() == tree.evaluated())
    if case .routes(let routes) = routes(tree) {
      precondition(abs(routes.reduce(0) { $0 + $1.share } - 1) < 1e-6, "shares")
    }
  }
  if let pattern = parsed(text, { text throws(DtabError) in try CapturePattern(parsing: text) }) {
    _ = pattern.captures(in: path)
  }
  if let tree = SystemRewrite.rewrite(path) { checkPrinting(tree) }
  if let dtab = parsed(text, { text throws(DtabError) in try Dtab(parsing: text) }) { check(dtab, path) }
}

private func check(_ dtab: Dtab, _ path: Path) {
  precondition(reparsed(dtab.description) { text throws(DtabError) in try Dtab(parsing: text) } == dtab)
  precondition(reparsed(dtab.pretty) { text throws(DtabError) in try Dtab(parsing: text) } == dtab)
  let layout = reparsed(dtab.pretty) { text throws(DtabError) in try formatted(dtab: text) }
  precondition(layout == dtab.pretty, "a layout that moves")
  precondition(
    dtab.matches(path).map(\.index) == dtab.entries.indices.reversed().filter { dtab.entries[$0].prefix.matches(path) })
  let limits = BindLimits(nodesMax: 500)
  var asked: Set<Path> = []
  let state = bind(path, dtab: dtab, limits: limits) { path in
    precondition(asked.insert(path).inserted, "asked twice")
    return answer(to: path)
  }
  precondition(delegate(path, dtab: dtab, limits: limits, namer: answer).state == state, "an explanation that differs")
  if case .bound(let tree) = state { precondition(tree == tree.simplified()) }
}

private func answer(to path: Path) -> LookupState<String> {
  if let tree = SystemRewrite.rewrite(path) { return .tree(tree.map { .path($0) }) }
  switch path.first?.bytes[0] {
  case UInt8(ascii: "p"): return .pending
  case UInt8(ascii: "f"): return .failed("broken")
  case UInt8(ascii: "n"), nil: return .tree(.neg)
  default: return .tree(.leaf(.bound(path.description)))
  }
}

private func checkPrinting(_ tree: NameTree<Path>) {
  precondition(reparsed(tree.description) { text throws(DtabError) in try NameTree(parsing: text) } == tree)
}

/// `nil` if refused, with a place inside the text.
private func parsed<Value>(_ text: String, _ parse: (String) throws(DtabError) -> Value) -> Value? {
  do throws(DtabError) {
    return try parse(text)
  } catch {
    precondition((0...text.utf8.count).contains(error.offset), "a place outside the text")
    precondition(error.caret(in: text).utf8.last == UInt8(ascii: "^"), "no caret")
    return nil
  }
}

private func reparsed<Value>(_ text: String, _ parse: (String) throws(DtabError) -> Value) -> Value {
  do throws(DtabError) {
    return try parse(text)
  } catch {
    preconditionFailure("\(error): \(text.debugDescription)")
  }
}
