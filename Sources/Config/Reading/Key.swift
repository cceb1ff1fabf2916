/// One key of an object: its name, its place in the value, and everything there is to say about it.
///
/// The reader, the effective configuration, the documentation and the JSON Schema are all made from these.
struct Key<Root: Sendable>: Sendable {
  let shape: KeyShape
  /// Default of a fresh value, for documents.
  fileprivate let defaultValue: @Sendable (Root) -> JSONValue?
  fileprivate let read: @Sendable (YAMLNode, KeyTrail, inout Decoding, inout Root) -> Void
  fileprivate let show: @Sendable (Root) -> JSONValue?
  fileprivate let copy: @Sendable (Root, inout Root) -> Void

  init<Value: Sendable>(
    _ name: String, _ path: any WritableKeyPath<Root, Value> & Sendable, _ codec: Codec<Value>, unit: String? = nil,
    origin: KeyShape.Origin = .linkerd, required: Bool = false, secret: Bool = false, defaultNote: String? = nil,
    _ meaning: String
  ) {
    shape = KeyShape(
      name: name, shape: codec.shape, defaultNote: defaultNote, unit: unit, meaning: meaning, origin: origin,
      isRequired: required, isSecret: secret)
    defaultValue = { required || defaultNote != nil ? nil : codec.encode($0[keyPath: path]) }
    read = { node, trail, decoding, root in
      if let value = codec.decode(node, trail, &decoding) { root[keyPath: path] = value }
    }
    show = { root in
      guard let value = codec.encode(root[keyPath: path]) else { return nil }
      return secret ? .string(Configuration.maskText) : value
    }
    copy = { from, to in to[keyPath: path] = from[keyPath: path] }
  }

  private init(_ shape: KeyShape, _ severity: Diagnostic.Severity?, _ rule: Diagnostic.Rule, _ message: String) {
    self.shape = shape
    defaultValue = { _ in nil }
    read = { _, trail, decoding, _ in
      guard let severity, let place = decoding.values[trail.canonical]?.keyPlace else { return }
      decoding.report(severity, rule, trail, place, message, remedy: shape.meaning.isEmpty ? nil : shape.meaning)
    }
    show = { _ in nil }
    copy = { _, _ in }
  }

  private init(
    _ shape: KeyShape, read: @escaping @Sendable (YAMLNode, KeyTrail, inout Decoding, inout Root) -> Void,
    show: @escaping @Sendable (Root) -> JSONValue?, copy: @escaping @Sendable (Root, inout Root) -> Void
  ) {
    self.shape = shape
    defaultValue = { _ in nil }
    self.read = read
    self.show = show
    self.copy = copy
  }

  /// The same key of a value which holds this key's root, where it has no default of its own.
  /// - Parameter isSet: whether it is to be shown.
  func within<Outer>(
    _ path: any WritableKeyPath<Outer, Root> & Sendable, isSet: @escaping @Sendable (Outer) -> Bool
  ) -> Key<Outer> {
    var shape = shape
    shape.defaultNote = "not set"
    return Key<Outer>(
      shape,
      read: { node, trail, decoding, outer in read(node, trail, &decoding, &outer[keyPath: path]) },
      show: { outer in isSet(outer) ? show(outer[keyPath: path]) : nil },
      copy: { from, to in copy(from[keyPath: path], &to[keyPath: path]) })
  }

  /// A key of linkerd's which changes nothing here; `instead` says why, or what to write. No severity: no report.
  static func ignored(
    _ name: String, _ shape: Shape, say severity: Diagnostic.Severity? = .warning, _ instead: String
  ) -> Key {
    Key(
      KeyShape(name: name, shape: shape, meaning: instead, origin: .linkerd, state: .ignored(instead)), severity,
      .ignoredKey, "has no effect")
  }

  /// A key of linkerd's which cannot be left without effect.
  static func refused(_ name: String, _ instead: String) -> Key {
    Key(
      KeyShape(
        name: name, shape: .map(.text("anything")), meaning: instead, origin: .linkerd, state: .refused(instead)),
      .error, .unsupported, "is not supported by this version")
  }
}

/// The keys of one kind of object.
struct ObjectTable<Root: Sendable>: Sendable {
  let make: @Sendable () -> Root
  let keys: [Key<Root>]
  private let indices: [String: Int]
  private let required: [Int]
  /// What to do with keys that do not belong here.
  private let strays: [String: String]
  /// Fills in what depends on other keys. The set holds the names which were written.
  let finish: @Sendable (inout Root, Set<String>, KeyTrail, inout Decoding) -> Void

  init(
    _ make: @escaping @Sendable () -> Root, _ keys: [Key<Root>], strays: [String: String] = [:],
    finish: @escaping @Sendable (inout Root, Set<String>, KeyTrail, inout Decoding) -> Void = { _, _, _, _ in }
  ) {
    self.make = make
    self.keys = keys
    indices = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1.shape.name, $0) })
    required = keys.indices.filter { keys[$0].shape.isRequired }
    self.strays = strays
    self.finish = finish
  }

  /// The keys with their defaults.
  var shapes: [KeyShape] {
    let fresh = make()
    return keys.map { key in
      var shape = key.shape
      shape.defaultValue = key.defaultValue(fresh)
      return shape
    }
  }

  var codec: Codec<Root> {
    let shape = Shape.object(shapes)
    return Codec(
      shape,
      decode: { node, trail, decoding in
        guard case .mapping(let pairs) = node.content else {
          decoding.report(.error, .wrongType, trail, node.place, "expected a mapping of keys, found \(node.noun)")
          return nil
        }
        return decode(pairs, of: node, trail, &decoding)
      },
      encode: { root in .object(members(root)) })
  }

  /// Everything that is set, in the table's order.
  func members(_ root: Root) -> [JSONValue.Member] {
    keys.compactMap { key in key.show(root).map { JSONValue.Member(key.shape.name, $0) } }
  }

  /// Copies the values of the keys with these names.
  func copy(_ names: Set<String>, from source: Root, to target: inout Root) {
    for name in names { if let index = indices[name] { keys[index].copy(source, &target) } }
  }

  /// - Parameter readElsewhere: keys which somebody else reads from the same mapping.
  func decode(
    _ pairs: [YAMLNode.Pair], of node: YAMLNode, _ trail: KeyTrail, _ decoding: inout Decoding,
    readElsewhere: Set<String> = []
  ) -> Root {
    var root = make()
    var written: Set<String> = []
    for pair in pairs {
      let keyTrail = trail.key(pair.key)
      if let first = pair.duplicateOf {
        decoding.report(
          .error, .duplicateKey, keyTrail, pair.keyPlace, "written twice, first in line \(first.line)",
          remedy: "Keep one of them.")
        continue
      }
      if readElsewhere.contains(pair.key) { continue }
      guard let key = indices[pair.key].map({ keys[$0] }) else {
        decoding.report(
          .error, .unknownKey, keyTrail, pair.keyPlace, "unknown key", remedy: remedy(for: pair.key, readElsewhere))
        continue
      }
      decoding.note(pair.value, keyTrail, keyPlace: pair.keyPlace)
      if case .active = key.shape.state, pair.value.isNull {
        if !key.shape.isRequired {
          decoding.report(
            .hint, .emptyValue, keyTrail, pair.keyPlace, "no value: the default holds", remedy: "Leave the key out.")
        }
        continue
      }
      written.insert(pair.key)
      let wasSecret = decoding.isSecret
      decoding.isSecret = wasSecret || key.shape.isSecret
      key.read(pair.value, keyTrail, &decoding, &root)
      decoding.isSecret = wasSecret
    }
    for key in required.lazy.map({ keys[$0] }) where !written.contains(key.shape.name) {
      decoding.report(
        .error, .missingKey, trail, node.place, "the key \"\(key.shape.name)\" is missing", remedy: key.shape.meaning)
    }
    finish(&root, written, trail, &decoding)
    return root
  }

  private func remedy(for word: String, _ others: Set<String>) -> String? {
    if let remedy = strays[word] { return remedy }
    let known = keys.compactMap { key -> String? in
      if case .refused = key.shape.state { nil } else { key.shape.name }
    }
    if let near = didYouMean(word, among: known + others.sorted()) { return near }
    let homes = KeyTables.homes(of: word)
    if !homes.isEmpty { return "It belongs to " + homes.prefix(3).joined(separator: " or ") + "." }
    return nil
  }
}
