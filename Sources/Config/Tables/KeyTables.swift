/// All keys of the configuration: the one place to add or change one.
enum KeyTables {
  static let document: Codec<Configuration> = configuration.codec

  /// `routers[].servers[]` for `port`: where a key that is unknown here would be known.
  static func homes(of key: String) -> [String] { homesByKey[key] ?? [] }

  private static let homesByKey: [String: [String]] = {
    var homes: [String: [String]] = [:]
    func visit(_ shape: Shape, _ path: String) {
      switch shape {
      case .list(let item), .oneOrList(let item): visit(item, path + "[]")
      case .map(let value): visit(value, path + ".*")
      case .object(let keys), .perName(let keys, _): visit(keys, path)
      case .kinds(let kinds, _):
        for kind in kinds { visit(kind.keys, path + " of kind " + kind.kind) }
      case .boolean, .integer, .limit, .number, .text, .choice: break
      }
    }
    func visit(_ keys: [KeyShape], _ path: String) {
      for key in keys {
        if case .refused = key.state { continue }
        homes[key.name, default: []].append(path.isEmpty ? "the top level" : path)
        visit(key.shape, KeyTrail.join(path, key.name))
      }
    }
    visit(document.shape, "")
    return homes
  }()
}
