/// One of several objects which `kind` tells apart.
struct KindCase<Value: Sendable>: Sendable {
  let shape: KindShape
  fileprivate let decode: @Sendable ([YAMLNode.Pair], YAMLNode, KeyTrail, inout Decoding) -> Value
  fileprivate let encode: @Sendable (Value) -> [JSONValue.Member]?

  /// - Parameter unwrap: `nil` if the value is of another kind.
  init<Fields>(
    _ kind: String, _ table: ObjectTable<Fields>, origin: KeyShape.Origin = .linkerd, _ meaning: String,
    wrap: @escaping @Sendable (Fields) -> Value, unwrap: @escaping @Sendable (Value) -> Fields?
  ) {
    shape = KindShape(kind: kind, meaning: meaning, origin: origin, keys: table.shapes)
    decode = { pairs, node, trail, decoding in
      wrap(table.decode(pairs, of: node, trail, &decoding, readElsewhere: ["kind"]))
    }
    encode = { value in unwrap(value).map(table.members) }
  }
}

extension Codec {
  /// - Parameters:
  ///   - default: the kind of a mapping without `kind`; `nil`: one must be written.
  ///   - unsupported: linkerd's other kinds, each with what to do instead.
  static func kinds(
    _ cases: [KindCase<Value>], default defaultKind: String? = nil, unsupported: [String: String] = [:]
  ) -> Codec {
    let names = cases.map(\.shape.kind)
    return Codec(
      .kinds(cases.map(\.shape), default: defaultKind),
      decode: { node, trail, decoding in
        guard case .mapping(let pairs) = node.content else {
          decoding.report(
            .error, .wrongType, trail, node.place, "expected a mapping with a \"kind\", found \(node.noun)",
            remedy: "Write {kind: \(names.first ?? "")}.")
          return nil
        }
        guard let pair = pairs.first(where: { $0.key == "kind" }) else {
          if let fallback = cases.first(where: { $0.shape.kind == defaultKind }) {
            return fallback.decode(pairs, node, trail, &decoding)
          }
          decoding.report(
            .error, .missingKey, trail, node.place, "\"kind\" is missing", remedy: "It is one of \(listed(names)).")
          return nil
        }
        let kindTrail = trail.key("kind")
        decoding.note(pair.value, kindTrail, keyPlace: pair.keyPlace)
        guard case .scalar(let scalar) = pair.value.content else {
          decoding.report(
            .error, .wrongType, kindTrail, pair.value.place, "expected a word, found \(pair.value.noun)",
            remedy: "It is one of \(listed(names)).")
          return nil
        }
        if let known = cases.first(where: { $0.shape.kind == scalar.text }) {
          return known.decode(pairs, node, trail, &decoding)
        }
        if let instead = unsupported[scalar.text] {
          decoding.report(
            .error, .unsupported, kindTrail, pair.value.place, "\"\(scalar.text)\" is not supported by this version",
            remedy: instead.isEmpty ? "Supported: \(listed(names))." : instead)
        } else {
          decoding.report(
            .error, .unknownKind, kindTrail, pair.value.place, "unknown kind \(decoding.quoted(scalar))",
            remedy: didYouMean(scalar.text, among: names + unsupported.keys.sorted())
              ?? shortFormRemedy(scalar.text, names) ?? "It is one of \(listed(names)).")
        }
        return nil
      },
      encode: { value in
        for kind in cases {
          if let members = kind.encode(value) {
            return .object([JSONValue.Member("kind", .string(kind.shape.kind))] + members)
          }
        }
        return nil
      })
  }

  /// `fs` for `io.l5d.fs`.
  private static func shortFormRemedy(_ word: String, _ names: [String]) -> String? {
    names.first { $0.hasSuffix("." + word) }.map { "Did you mean \"\($0)\"?" }
  }

  private static func listed(_ names: [String]) -> String { names.joined(separator: ", ") }
}
