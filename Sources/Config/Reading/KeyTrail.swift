/// The way from the top of the document to a value.
struct KeyTrail: Sendable {
  /// As the file is written: for people.
  let shown: String
  /// With the index of a list of one that was written without brackets: for tables of values.
  let canonical: String

  static let root = KeyTrail(shown: "", canonical: "")

  func key(_ name: String) -> KeyTrail {
    KeyTrail(shown: Self.join(shown, name), canonical: Self.join(canonical, name))
  }

  func index(_ index: Int) -> KeyTrail {
    KeyTrail(shown: shown + "[\(index)]", canonical: canonical + "[\(index)]")
  }

  /// The only item of a list written without brackets.
  var soleItem: KeyTrail { KeyTrail(shown: shown, canonical: canonical + "[0]") }

  static func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : path + "." + name }
}
