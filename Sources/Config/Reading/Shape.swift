/// What a value may look like: the part of a key's type that documents and schemas can tell.
indirect enum Shape: Sendable {
  case boolean
  case integer(ClosedRange<Int>)
  /// An integer where 0 stands for "none".
  case limit(max: Int)
  case number(ClosedRange<Double>)
  /// The noun tells people what kind of text: "path", "dtab", "IP address".
  case text(String)
  case choice([String])
  case list(Shape)
  /// A list, or its only item without brackets.
  case oneOrList(Shape)
  /// Keys are free.
  case map(Shape)
  case object([KeyShape])
  case kinds([KindShape], default: String?)
  /// These keys for all names; or a list of entries, each with the keys of the second list, for some names each.
  case perName([KeyShape], entry: [KeyShape])

  /// As in the documentation's type column.
  var noun: String {
    switch self {
    case .boolean: "boolean"
    case .integer(let range):
      range.upperBound == .max ? "integer ≥ \(range.lowerBound)" : "integer \(range.lowerBound) to \(range.upperBound)"
    case .limit: "integer, 0 = none"
    case .number(let range):
      range.upperBound == .infinity
        ? "number ≥ \(plain(range.lowerBound))" : "number \(plain(range.lowerBound)) to \(plain(range.upperBound))"
    case .text(let noun): noun
    case .choice(let words): words.map { "`\($0)`" }.joined(separator: ", ")
    case .list(let item): "list of: " + item.noun
    case .oneOrList(let item): item.noun + ", or a list"
    case .map(let value): "mapping from names to: " + value.noun
    case .object, .perName: "mapping"
    case .kinds: "mapping with a `kind`"
    }
  }
}

/// One key as documents and schemas see it.
struct KeyShape: Sendable {
  enum State: Sendable {
    case active
    /// Accepted, reported, and without effect.
    case ignored(String)
    /// Refused.
    case refused(String)
  }

  enum Origin: Sendable {
    case linkerd
    case ours
  }

  var name: String
  var shape: Shape
  var defaultValue: JSONValue?
  /// In place of a default that depends on something else.
  var defaultNote: String?
  var unit: String?
  var meaning: String
  var origin: Origin
  var isRequired = false
  var isSecret = false
  var state = State.active
}

/// One of several objects told apart by `kind`.
struct KindShape: Sendable {
  var kind: String
  var meaning: String
  var origin: KeyShape.Origin
  var keys: [KeyShape]
}

/// 2 rather than 2.0.
func plain(_ number: Double) -> String {
  Int(exactly: number).map(String.init) ?? String(number)
}
