import Dtab

/// `io.l5d.global` and `io.l5d.static`: settings for all names, or for some names each.
extension KeyTables {
  static let globalKind = "io.l5d.global"
  static let staticKind = "io.l5d.static"

  /// In a table for all names.
  static let perNameStrays = ["configs": "Write \"kind: \(staticKind)\" beside it."]

  private struct StaticFields<Settings: Sendable & Equatable>: Sendable {
    var configs: [Configuration.Refinement<Settings>] = []
  }

  /// - Parameter name: what prefixes are compared with.
  static func perName<Settings>(
    _ table: ObjectTable<Settings>, _ entry: Codec<Configuration.Refinement<Settings>>,
    _ path: any WritableKeyPath<Settings, [Configuration.Refinement<Settings>]> & Sendable, name: String
  ) -> Codec<Settings> {
    let names = table.keys.map(\.shape.name)
    let strays = Dictionary(
      uniqueKeysWithValues: names.map { ($0, "Write it into an entry of configs, as in {prefix: /, \($0): …}.") })
    let refined = ObjectTable<StaticFields<Settings>>(
      { StaticFields() },
      [
        Key(
          "configs", \.configs, .list(entry), required: true,
          "Entries with a \"prefix\" each. Every one that covers a \(name) sets its keys, a later one over an earlier.")
      ], strays: strays)
    let kinds = Codec<Settings>.kinds(
      [
        KindCase(
          globalKind, table, "The same for all names.", wrap: { $0 },
          unwrap: { $0[keyPath: path].isEmpty ? $0 : nil }),
        KindCase(
          staticKind, refined, "For some names each.",
          wrap: { fields in
            var settings = table.make()
            settings[keyPath: path] = fields.configs
            return settings
          },
          unwrap: { StaticFields(configs: $0[keyPath: path]) }),
      ], default: globalKind)
    guard case .object(let entryKeys) = entry.shape else { preconditionFailure("an entry is a mapping") }
    return Codec(.perName(table.shapes, entry: entryKeys), decode: kinds.decode, encode: kinds.encode)
  }

  /// An entry: the keys of the table, and a prefix.
  /// - Parameter check: looks at the settings and at the names of the keys which were written.
  static func refinement<Settings>(
    _ table: ObjectTable<Settings>, _ prefixMeaning: String,
    check: @escaping @Sendable (Settings, Set<String>, KeyTrail, inout Decoding) -> Void = { _, _, _, _ in }
  ) -> Codec<Configuration.Refinement<Settings>> {
    typealias Entry = Configuration.Refinement<Settings>
    let pattern = Codec<String>.capturePattern
    let noted = Codec<String>(
      pattern.shape,
      decode: { node, trail, decoding in
        guard let text = pattern.decode(node, trail, &decoding) else { return nil }
        decoding.captures = (try? CapturePattern(parsing: text))?.names ?? []
        return text
      }, encode: pattern.encode)
    let prefix = Key<Entry>("prefix", \.prefix, noted, required: true, prefixMeaning)
    let active = Set(
      table.keys.compactMap { key -> String? in if case .active = key.shape.state { key.shape.name } else { nil } })
    let entry = ObjectTable<Entry>(
      { Entry(prefix: "/", settings: table.make(), keys: []) },
      [prefix]
        + table.keys.map { key in
          let name = key.shape.name
          return key.within(\.settings) { $0.keys.contains(name) }
        },
      finish: { entry, written, trail, decoding in
        entry.keys = written.intersection(active)
        check(entry.settings, written, trail, &decoding)
      })
    let codec = entry.codec
    return Codec(
      codec.shape,
      decode: { node, trail, decoding in
        defer { decoding.captures = [] }
        var node = node
        if case .mapping(let pairs) = node.content {
          // First, wherever it stands: other keys are read with its captures.
          node.content = .mapping(pairs.filter { $0.key == "prefix" } + pairs.filter { $0.key != "prefix" })
        }
        return codec.decode(node, trail, &decoding)
      }, encode: codec.encode)
  }
}
