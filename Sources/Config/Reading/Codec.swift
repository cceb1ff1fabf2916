/// How values of one type are read from the file, shown, and described.
struct Codec<Value: Sendable>: Sendable {
  let shape: Shape
  /// `nil` after something has been reported that leaves no value.
  let decode: @Sendable (YAMLNode, KeyTrail, inout Decoding) -> Value?
  /// `nil`: not set, so not shown.
  let encode: @Sendable (Value) -> JSONValue?

  init(
    _ shape: Shape, decode: @escaping @Sendable (YAMLNode, KeyTrail, inout Decoding) -> Value?,
    encode: @escaping @Sendable (Value) -> JSONValue?
  ) {
    self.shape = shape
    self.decode = decode
    self.encode = encode
  }
}

extension Codec {
  /// A list of any length.
  static func list<Item>(_ item: Codec<Item>) -> Codec where Value == [Item] {
    Codec(
      .list(item.shape),
      decode: { node, trail, decoding in
        guard case .sequence(let nodes) = node.content else {
          decoding.report(
            .error, .wrongType, trail, node.place, "expected a list, found \(node.noun)",
            remedy: "Begin each item with \"- \".")
          return nil
        }
        return decodeItems(nodes, item, trail, &decoding)
      },
      encode: { values in .array(values.compactMap(item.encode)) })
  }

  /// A list, or its only item written without brackets.
  static func oneOrList<Item>(_ item: Codec<Item>) -> Codec where Value == [Item] {
    Codec(
      .oneOrList(item.shape),
      decode: { node, trail, decoding in
        if case .sequence(let nodes) = node.content {
          guard !nodes.isEmpty else {
            decoding.report(.error, .badValue, trail, node.place, "an empty list", remedy: "Leave the key out.")
            return nil
          }
          return decodeItems(nodes, item, trail, &decoding)
        }
        decoding.note(node, trail.soleItem, keyPlace: node.place)
        return item.decode(node, trail.soleItem, &decoding).map { [$0] }
      },
      encode: { values in .array(values.compactMap(item.encode)) })
  }

  private static func decodeItems<Item>(
    _ nodes: [YAMLNode], _ item: Codec<Item>, _ trail: KeyTrail, _ decoding: inout Decoding
  ) -> [Item] {
    var values: [Item] = []
    var kept: [Int] = []
    for (index, node) in nodes.enumerated() {
      let itemTrail = trail.index(index)
      decoding.note(node, itemTrail, keyPlace: node.place)
      if node.isNull {
        decoding.report(
          .error, .emptyValue, itemTrail, node.place, "an item without a value", remedy: "Remove the \"-\".")
      } else if let value = item.decode(node, itemTrail, &decoding) {
        values.append(value)
        kept.append(index)
      }
    }
    if values.count < nodes.count { decoding.noteKept(kept, of: trail) }
    return values
  }

  /// A value that may be absent.
  static func optional<Wrapped>(_ codec: Codec<Wrapped>) -> Codec where Value == Wrapped? {
    Codec(
      codec.shape,
      decode: { node, trail, decoding in codec.decode(node, trail, &decoding).map { .some($0) } },
      encode: { value in value.flatMap(codec.encode) })
  }

  /// The same text read as something more special.
  func converted<Other>(
    _ to: @escaping @Sendable (Value) -> Other, _ from: @escaping @Sendable (Other) -> Value
  ) -> Codec<Other> {
    Codec<Other>(
      shape, decode: { node, trail, decoding in decode(node, trail, &decoding).map(to) },
      encode: { value in encode(from(value)) })
  }
}
