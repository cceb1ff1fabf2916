extension Configuration {
  /// What stands for a secret.
  static let maskText = "***"

  /// Every setting in force, defaults included, as JSON with the file's own keys; secrets are masked.
  ///
  /// Loading it again gives an equal configuration, but for what is masked.
  public var effectiveJSON: String { (effective.prettyText) + "\n" }

  var effective: JSONValue {
    let members = JSONValue.object(KeyTables.configuration.members(self))
    return maskedValues.isEmpty ? members : masked(members, path: "")
  }

  private func masked(_ value: JSONValue, path: String) -> JSONValue {
    switch value {
    case .object(let members):
      return .object(members.map { JSONValue.Member($0.name, masked($0.value, path: KeyTrail.join(path, $0.name))) })
    case .array(let items):
      return .array(items.enumerated().map { masked($1, path: "\(path)[\($0)]") })
    case .string(let text):
      guard text != Self.maskText, let display = maskedValues[path] else { return value }
      return .string(display)
    case .int, .number, .bool, .null:
      // Never a secret, unless a file was read for it.
      return maskedValues[path].map { .string($0) } ?? value
    }
  }
}
