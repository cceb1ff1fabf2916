/// A place in the file.
struct SourcePlace: Equatable, Sendable {
  /// Counted from 1.
  var line: Int
  /// Counted from 1, in Unicode scalars.
  var column: Int
  /// Scalars on that line which belong to what is there; at least 1.
  var length = 1
}

/// A value of the document with its place; aliases have been replaced by what they stand for.
struct YAMLNode: Sendable {
  var content: Content
  var place: SourcePlace

  enum Content: Sendable {
    case scalar(Scalar)
    case sequence([YAMLNode])
    case mapping([Pair])
  }

  struct Scalar: Sendable {
    var text: String
    var style: Style
    /// Tagged `!!str`: text whatever it looks like.
    var isTaggedText: Bool
    /// Line of the first and the last character, quotes and block header included.
    var lastLine: Int
  }

  enum Style: Sendable {
    case plain, singleQuoted, doubleQuoted, literal, folded
  }

  struct Pair: Sendable {
    var key: String
    var keyPlace: SourcePlace
    var value: YAMLNode
    /// Where the same key stood before; such a pair is a mistake.
    var duplicateOf: SourcePlace?
  }

  /// Written as nothing, `~` or `null`.
  var isNull: Bool {
    guard case .scalar(let scalar) = content, scalar.style == .plain, !scalar.isTaggedText else { return false }
    return ["", "~", "null", "Null", "NULL"].contains(scalar.text)
  }

  /// "a list", "a mapping", "text": for messages.
  var noun: String {
    switch content {
    case .scalar: isNull ? "nothing" : "a single value"
    case .sequence: "a list"
    case .mapping: "a mapping"
    }
  }
}
