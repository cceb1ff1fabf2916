import MeshBase
import Testing

@testable import Config

/// Documents made at random from the table of keys.
private struct DocumentMaker {
  var random: SeededRandom
  /// Ordinal of the leaf which becomes a mapping where a single value belongs; `nil`: none.
  var spoiledLeaf: Int?
  private(set) var spoiledPath: String?
  private(set) var leaves = 0
  private var fresh = 0

  init(random: SeededRandom, spoiledLeaf: Int? = nil) {
    self.random = random
    self.spoiledLeaf = spoiledLeaf
  }

  mutating func below(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

  private mutating func unique() -> Int {
    fresh += 1
    return fresh
  }

  mutating func value(_ shape: Shape, _ path: String) -> JSONValue {
    switch shape {
    case .list(let item):
      let isTop = path == "routers"
      return .array((0..<(below(3) + (isTop ? 1 : 0))).map { value(item, path + "[\($0)]") })
    case .oneOrList(let item):
      if below(2) == 0 { return value(item, path) }
      return .array((0..<(1 + below(2))).map { value(item, path + "[\($0)]") })
    case .map(let item): return .object([.init("web", value(item, path + ".web"))])
    case .object(let keys): return .object(members(keys, path))
    case .perName(let keys, let entry):
      if below(2) == 0 { return .object(members(keys, path)) }
      let configs = value(.list(.object(entry)), path + ".configs")
      return .object([.init("kind", .string("io.l5d.static")), .init("configs", configs)])
    case .kinds(let kinds, let fallback):
      let kind = kinds[below(kinds.count)]
      let isWritten = kind.kind != fallback || below(2) == 0
      return .object((isWritten ? [.init("kind", .string(kind.kind))] : []) + members(kind.keys, path))
    case .boolean, .integer, .limit, .number, .text, .choice:
      leaves += 1
      if leaves - 1 == spoiledLeaf {
        spoiledPath = path
        return .object([.init("zz", .int(1))])
      }
      return leaf(shape)
    }
  }

  private mutating func members(_ keys: [KeyShape], _ path: String) -> [JSONValue.Member] {
    keys.compactMap { key in
      guard case .active = key.state, key.isRequired || below(2) == 0 else { return nil }
      let keyPath = KeyTrail.join(path, key.name)
      // Addresses must differ, so ports are counted.
      if keyPath.hasSuffix("].port") && keyPath.hasPrefix("routers"), spoiledLeaf != leaves {
        leaves += 1
        return .init(key.name, .int(10_000 + unique()))
      }
      return .init(key.name, value(key.shape, keyPath))
    }
  }

  private mutating func leaf(_ shape: Shape) -> JSONValue {
    switch shape {
    case .boolean: return .bool(below(2) == 0)
    case .integer(let range):
      let end = min(range.upperBound, range.lowerBound + 1_000_000)
      return .int([range.lowerBound, end, range.lowerBound + below(end - range.lowerBound + 1)][below(3)])
    case .limit(let max): return .int([0, 1, min(max, 86_400_000)][below(3)])
    case .number(let range):
      let end = min(range.upperBound, range.lowerBound + 128)
      return .number(range.lowerBound + (end - range.lowerBound) * Double(below(1_024)) / 1_024)
    case .choice(let words): return .string(words[below(words.count)])
    case .text(let noun):
      switch noun {
      case "IP address": return .string(["127.0.0.1", "10.0.0.1", "::1", "2001:db8::7"][below(4)])
      case "path": return .string("/a\(unique())/b")
      case "dtab":
        return .string(["", "/svc => /$/nil;", "/svc/* => 2 * /$/inet/a/1 & /$/fail | !;\n# end\n"][below(3)])
      case "`USER:PASSWORD`": return .string("user:pass:word")
      case "pattern": return .string("/x/{var}")
      case "address": return .string(["1.1.1.1", "1.1.1.1:53", "[::1]:5353"][below(3)])
      case "regular expression": return .string("^/admin/(a|b)\\d+$")
      case "status or range": return .string(["404", "500-599"][below(2)])
      case "header name": return .string("x-\(unique())")
      case let endpoint where endpoint.hasPrefix("endpoint"):
        return .string(["127.0.0.1 80", "::1 443 * 0.25", "db.internal 5432 * 0"][below(3)])
      default: return .string("n\(unique())")
      }
    case .list, .oneOrList, .map, .object, .perName, .kinds: preconditionFailure("not a leaf")
    }
  }
}

/// As much of JSON Schema as the generated one uses.
private struct SchemaValidator {
  let root: JSONValue

  func accepts(_ value: JSONValue) -> Bool { accepts(value, root) }

  private func accepts(_ value: JSONValue, _ schema: JSONValue) -> Bool {
    guard case .object(let rules) = schema else { return schema == .bool(true) }
    return rules.allSatisfy { rule in
      switch (rule.name, rule.value) {
      case ("$ref", _): accepts(value, substitution)
      case ("type", .string(let type)): isType(value, type)
      case ("enum", .array(let words)): words.contains(value)
      case ("const", let wanted): value == wanted
      case ("minimum", let low): number(value).map { $0 >= number(low)! } ?? true
      case ("maximum", let high): number(value).map { $0 <= number(high)! } ?? true
      case ("pattern", _): if case .string(let text) = value { text.contains("${") } else { true }
      case ("anyOf", .array(let choices)): choices.contains { accepts(value, $0) }
      case ("oneOf", .array(let choices)): choices.count { accepts(value, $0) } == 1
      case ("items", let item):
        if case .array(let items) = value { items.allSatisfy { accepts($0, item) } } else { true }
      case ("minItems", .int(let count)): if case .array(let items) = value { items.count >= count } else { true }
      case ("required", .array(let names)): hasAll(value, names)
      case ("additionalProperties", let rest): acceptsRest(value, rest, rules)
      case ("properties", .object(let properties)): acceptsKnown(value, properties)
      case ("$schema", _), ("title", _), ("$defs", _), ("description", _), ("default", _), ("deprecated", _): true
      default: preconditionFailure("a rule that this validator does not know: \(rule.name)")
      }
    }
  }

  private var substitution: JSONValue { .object(["type": .string("string"), "pattern": .null]) }

  private func isType(_ value: JSONValue, _ type: String) -> Bool {
    switch (type, value) {
    case ("boolean", .bool), ("integer", .int), ("number", .int), ("number", .number), ("string", .string),
      ("array", .array), ("object", .object):
      true
    default: false
    }
  }

  private func number(_ value: JSONValue) -> Double? {
    switch value {
    case .int(let number): Double(number)
    case .number(let number): number
    default: nil
    }
  }

  private func hasAll(_ value: JSONValue, _ names: [JSONValue]) -> Bool {
    guard case .object(let members) = value else { return true }
    return names.allSatisfy { name in members.contains { .string($0.name) == name } }
  }

  private func acceptsKnown(_ value: JSONValue, _ properties: [JSONValue.Member]) -> Bool {
    guard case .object(let members) = value else { return true }
    return members.allSatisfy { member in
      properties.first { $0.name == member.name }.map { accepts(member.value, $0.value) } ?? true
    }
  }

  private func acceptsRest(_ value: JSONValue, _ rest: JSONValue, _ rules: [JSONValue.Member]) -> Bool {
    guard case .object(let members) = value else { return true }
    var known: Set<String> = []
    if case .object(let properties)? = rules.first(where: { $0.name == "properties" })?.value {
      known = Set(properties.map(\.name))
    }
    return members.allSatisfy { known.contains($0.name) || accepts($0.value, rest) }
  }
}

@Suite("laws of the table of keys")
struct TableLawTests {
  private let validator = SchemaValidator(root: SchemaWriter().document)

  /// Errors between keys, which no single key's shape can avoid.
  private func isBetweenKeys(_ diagnostic: Diagnostic) -> Bool {
    diagnostic.rule == .conflict || (diagnostic.rule == .outOfRange && diagnostic.keyPath.hasSuffix("loadBound"))
  }

  @Test("whatever the shapes allow is read, agrees with the schema, and echoes to an equal configuration")
  func roundTrip() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var whole = 0
    for round in 0..<250 {
      var maker = DocumentMaker(random: SeededRandom(seed: seed &+ UInt64(round)))
      let document = maker.value(KeyTables.document.shape, "")
      let text = round % 2 == 0 ? document.prettyText : document.compactText
      let loaded = load(text)
      let errors = loaded.diagnostics.filter { $0.severity == .error && !isBetweenKeys($0) }
      #expect(errors.isEmpty, "seed \(seed) round \(round): \(errors.map(\.sentence)) in \(text)")
      #expect(validator.accepts(document), "seed \(seed) round \(round): the schema refuses \(text)")
      guard var configuration = loaded.configuration else { continue }
      whole += 1
      let effective = configuration.effective
      #expect(validator.accepts(effective), "seed \(seed) round \(round): the schema refuses \(effective.prettyText)")
      var echoed = try #require(
        // Masked like every secret, it has not even its own shape any more.
        load(effective.prettyText.replacing("\"zkAuth\": \"***\"", with: "\"zkAuth\": \"a:b\"")).configuration,
        "seed \(seed) round \(round): \(effective.prettyText)")
      removeSecrets(&echoed)
      removeSecrets(&configuration)
      #expect(echoed == configuration, "seed \(seed) round \(round): \(text)")
    }
    #expect(whole > 50)
  }

  private func removeSecrets(_ configuration: inout Configuration) {
    configuration.admin.token = nil
    for router in configuration.routers.indices {
      configuration.routers[router].client.stickyCookie?.secret = nil
      for entry in configuration.routers[router].client.configs.indices {
        configuration.routers[router].client.configs[entry].settings.stickyCookie?.secret = nil
      }
    }
    for index in configuration.namers.indices {
      switch configuration.namers[index].kind {
      case .serversets(var zooKeeper):
        zooKeeper.credentials = nil
        configuration.namers[index].kind = .serversets(zooKeeper)
      case .zkLeader(var zooKeeper):
        zooKeeper.credentials = nil
        configuration.namers[index].kind = .zkLeader(zooKeeper)
      case .consul(var consul):
        consul.token = nil
        configuration.namers[index].kind = .consul(consul)
      case .kubernetes(var cluster):
        cluster.auth = nil
        configuration.namers[index].kind = .kubernetes(cluster)
      case .kubernetesNamespace(var cluster):
        cluster.auth = nil
        configuration.namers[index].kind = .kubernetesNamespace(cluster)
      case .kubernetesExternal(var cluster):
        cluster.auth = nil
        configuration.namers[index].kind = .kubernetesExternal(cluster)
      case .mesos(var mesos):
        mesos.auth = nil
        mesos.zooKeeperAuth = nil
        configuration.namers[index].kind = .mesos(mesos)
      case .marathon(var marathon):
        marathon.auth = nil
        marathon.zooKeeperAuth = nil
        configuration.namers[index].kind = .marathon(marathon)
      case .fs, .rewrite, .static, .dnssrv, .vip, .mesosDns: break
      }
    }
  }

  @Test("a mapping where a single value belongs is one error, at exactly its key, and the schema refuses it too")
  func spoiled() {
    let seed = UInt64.random(in: 0...UInt64.max)
    for round in 0..<250 {
      var probe = DocumentMaker(random: SeededRandom(seed: seed &+ UInt64(round)))
      _ = probe.value(KeyTables.document.shape, "")
      var maker = DocumentMaker(
        random: SeededRandom(seed: seed &+ UInt64(round)), spoiledLeaf: round % max(1, probe.leaves))
      let document = maker.value(KeyTables.document.shape, "")
      guard let path = maker.spoiledPath else { continue }
      let loaded = load(document.prettyText)
      let errors = loaded.diagnostics.filter { $0.severity == .error && !isBetweenKeys($0) }
      #expect(
        errors.map(\.keyPath) == [path] && errors[0].rule == .wrongType,
        "seed \(seed) round \(round): \(path): \(errors.map(\.sentence))")
      #expect(loaded.configuration == nil)
      #expect(!validator.accepts(document), "seed \(seed) round \(round): the schema accepts a mapping at \(path)")
    }
  }
}
