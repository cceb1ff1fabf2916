/// The left side of a dentry: labels, and wildcards that match exactly one label of any content.
public struct PathPrefix: Sendable {
  public enum Element: Hashable, Sendable {
    case label(Label)
    /// `*`. The label that is one star is written `\x2a`.
    case any
  }

  let encoded: [UInt8]
  /// Number of elements.
  public let count: Int
  public let hasWildcard: Bool

  public init(_ elements: [Element]) {
    var encoded: [UInt8] = []
    for element in elements {
      switch element {
      case .label(let label): PathBytes.append(label.bytes, to: &encoded)
      case .any: PathBytes.appendWildcard(to: &encoded)
      }
    }
    self.encoded = encoded
    count = elements.count
    hasWildcard = elements.contains(.any)
  }

  public init(_ path: Path) {
    encoded = path.encoded
    count = path.count
    hasWildcard = false
  }

  /// Reads the written form, `/http/*/web`; blanks and comments around it are skipped.
  public init(parsing text: some StringProtocol) throws(DtabError) {
    var parser = DtabParser(text)
    self = try parser.wholePrefix()
  }

  public var isEmpty: Bool { count == 0 }

  public var elements: [Element] {
    var elements: [Element] = []
    elements.reserveCapacity(count)
    var offset = 0
    while let range = PathBytes.label(of: encoded, at: &offset) {
      elements.append(Label(bytes: encoded[range]).map(Element.label) ?? .any)
    }
    return elements
  }

  /// Whether the path has at least as many labels and each of the first ones fits.
  public func matches(_ path: Path) -> Bool { tail(of: path) != nil }

  /// What remains of the path behind this prefix; `nil` if it does not match.
  func tail(of path: Path) -> PathTail? {
    guard count <= path.count else { return nil }
    if !hasWildcard {
      guard PathBytes.hasPrefix(path.encoded, encoded) else { return nil }
      return PathTail(offset: encoded.count, count: path.count - count)
    }
    var offset = 0
    var pathOffset = 0
    while let element = PathBytes.label(of: encoded, at: &offset) {
      guard let label = PathBytes.label(of: path.encoded, at: &pathOffset) else { return nil }
      guard element.isEmpty || encoded[element].elementsEqual(path.encoded[label]) else { return nil }
    }
    return PathTail(offset: pathOffset, count: path.count - count)
  }
}

extension PathPrefix: Hashable {
  public static func == (a: Self, b: Self) -> Bool { a.encoded == b.encoded }
  public func hash(into hasher: inout Hasher) { encoded.withUnsafeBytes { hasher.combine(bytes: $0) } }
}

extension PathPrefix: ExpressibleByStringLiteral {
  /// For prefixes known when the program is written; a malformed one is a bug and traps.
  public init(stringLiteral text: String) {
    do throws(DtabError) {
      try self.init(parsing: text)
    } catch {
      preconditionFailure("\(text): \(error)")
    }
  }
}

extension PathPrefix: CustomStringConvertible {
  public var description: String { PathBytes.printed(encoded) }
}
