/// Writes the JSON Schema of the configuration: a closed set of keys, so it is exact.
///
/// Substitutions are allowed where the reader allows them; what only the reader can see (dtab syntax, conflicts
/// between keys) is left to `meshrouter check`.
struct SchemaWriter {
  var document: JSONValue {
    guard case .object(var members) = schema(KeyTables.document.shape) else { return .null }
    members.insert(
      contentsOf: [
        .init("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
        .init("title", .string("MeshRouter configuration")),
        .init(
          "$defs",
          .object([
            "substitution": .object([
              "description": .string("Replaced from the environment or a file when the configuration is read."),
              "type": .string("string"),
              "pattern": .string(#"\$\{[^}]+\}"#),
            ])
          ])),
      ], at: 0)
    return .object(members)
  }

  private func schema(_ shape: Shape) -> JSONValue {
    switch shape {
    case .boolean: return substitutable(["type": .string("boolean")])
    case .integer(let range):
      return substitutable(
        bounds("integer", .int(range.lowerBound), range.upperBound == .max ? nil : .int(range.upperBound)))
    case .limit(let max): return substitutable(bounds("integer", .int(0), max == .max ? nil : .int(max)))
    case .number(let range):
      return substitutable(
        bounds("number", number(range.lowerBound), range.upperBound == .infinity ? nil : number(range.upperBound)))
    case .text("anything"): return .bool(true)
    case .text: return .object(["type": .string("string")])
    case .choice(let words): return substitutable(["enum": .array(words.map { .string($0) })])
    case .list(let item): return .object(["type": .string("array"), "items": schema(item)])
    case .oneOrList(let item):
      let one = schema(item)
      return .object([
        "anyOf": .array([one, .object(["type": .string("array"), "minItems": .int(1), "items": one])])
      ])
    case .map(let value):
      return .object(["type": .string("object"), "additionalProperties": schema(value)])
    case .object(let keys): return object(keys, kind: nil, isKindRequired: false)
    case .perName(let keys, let entry):
      let configs = KeyShape(
        name: "configs", shape: .list(.object(entry)), meaning: "Settings of some names each.", origin: .linkerd,
        isRequired: true)
      return .object([
        "oneOf": .array([
          object(keys, kind: KeyTables.globalKind, isKindRequired: false),
          object([configs], kind: KeyTables.staticKind, isKindRequired: true),
        ])
      ])
    case .kinds(let kinds, let fallback):
      return .object([
        "oneOf": .array(
          kinds.map { kind in
            guard case .object(let members) = object(kind.keys, kind: kind.kind, isKindRequired: kind.kind != fallback)
            else { return .null }
            return .object([.init("description", .string(kind.meaning))] + members)
          })
      ])
    }
  }

  private func object(_ keys: [KeyShape], kind: String?, isKindRequired: Bool) -> JSONValue {
    var properties: [JSONValue.Member] = []
    if let kind { properties.append(.init("kind", .object(["const": .string(kind)]))) }
    for key in keys {
      guard case .object(var members) = schema(key.shape) else {
        properties.append(.init(key.name, schema(key.shape)))
        continue
      }
      switch key.state {
      case .refused: continue
      case .ignored: members.append(.init("deprecated", .bool(true)))
      case .active: break
      }
      if !key.meaning.isEmpty { members.insert(.init("description", .string(description(key))), at: 0) }
      if let value = key.defaultValue, !isSection(key.shape) { members.append(.init("default", value)) }
      properties.append(.init(key.name, .object(members)))
    }
    var members: [JSONValue.Member] = [
      .init("type", .string("object")), .init("additionalProperties", .bool(false)),
      .init("properties", .object(properties)),
    ]
    let required = (isKindRequired ? ["kind"] : []) + keys.filter(\.isRequired).map(\.name)
    if !required.isEmpty { members.append(.init("required", .array(required.map { .string($0) }))) }
    return .object(members)
  }

  private func description(_ key: KeyShape) -> String {
    var text = key.meaning
    if let note = key.defaultNote { text += " Default: \(note)." }
    if case .limit = key.shape { text += " 0: none." }
    return text
  }

  private func isSection(_ shape: Shape) -> Bool {
    switch shape {
    case .object, .kinds, .oneOrList, .perName: true
    default: false
    }
  }

  private func bounds(_ type: String, _ low: JSONValue, _ high: JSONValue?) -> [JSONValue.Member] {
    [.init("type", .string(type)), .init("minimum", low)] + (high.map { [.init("maximum", $0)] } ?? [])
  }

  private func number(_ value: Double) -> JSONValue { Int(exactly: value).map { .int($0) } ?? .number(value) }

  private func substitutable(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
    substitutable(members.map { JSONValue.Member($0.key, $0.value) })
  }

  private func substitutable(_ members: [JSONValue.Member]) -> JSONValue {
    .object(["anyOf": .array([.object(members), .object(["$ref": .string("#/$defs/substitution")])])])
  }
}
