import MeshBase

/// A name: a sequence of labels, the root `/` being the empty one.
///
/// Kept as one block of bytes (see `PathBytes`), so that equality, hashing and prefix tests are a pass over memory.
public struct Path: Sendable {
  let encoded: [UInt8]
  /// Number of labels.
  public let count: Int

  /// `/`, the path without labels.
  public static let root = Path([])

  init(encoded: [UInt8], count: Int) {
    self.encoded = encoded
    self.count = count
  }

  public init(_ labels: [Label]) {
    var encoded: [UInt8] = []
    encoded.reserveCapacity(labels.reduce(0) { $0 + $1.bytes.count + 1 })
    for label in labels { PathBytes.append(label.bytes, to: &encoded) }
    self.init(encoded: encoded, count: labels.count)
  }

  /// One label from each text, taken as it is; none may be empty.
  public init(labels: [String]) { self.init(labels.map { Label($0) }) }

  /// Reads the written form, `/svc/web`; blanks and comments around it are skipped.
  public init(parsing text: some StringProtocol) throws(DtabError) {
    var parser = DtabParser(text)
    self = try parser.wholePath()
  }
}

extension Path {
  public var isEmpty: Bool { count == 0 }

  public var labels: [Label] {
    var labels: [Label] = []
    labels.reserveCapacity(count)
    var offset = 0
    while let range = PathBytes.label(of: encoded, at: &offset) { labels.append(Label(bytes: encoded[range])!) }
    return labels
  }

  public var first: Label? { isEmpty ? nil : self[0] }

  /// Walks from the front: paths are short.
  public subscript(index: Int) -> Label {
    precondition(index >= 0 && index < count, "label index out of range")
    var offset = self.offset(ofLabel: index)
    return Label(bytes: encoded[PathBytes.label(of: encoded, at: &offset)!])!
  }

  public func hasPrefix(_ prefix: Path) -> Bool { PathBytes.hasPrefix(encoded, prefix.encoded) }

  /// All of it if there are no more than `n` labels.
  public func prefix(_ n: Int) -> Path {
    n >= count ? self : Path(encoded: Array(encoded[..<offset(ofLabel: n)]), count: max(0, n))
  }

  /// The root if there are no more than `n` labels.
  public func dropFirst(_ n: Int = 1) -> Path {
    if n <= 0 { return self }
    return n >= count ? .root : Path(encoded: Array(encoded[offset(ofLabel: n)...]), count: count - n)
  }

  public static func + (a: Path, b: Path) -> Path {
    if a.isEmpty { return b }
    if b.isEmpty { return a }
    return Path(encoded: a.encoded + b.encoded, count: a.count + b.count)
  }

  public func appending(_ label: Label) -> Path {
    var encoded = self.encoded
    PathBytes.append(label.bytes, to: &encoded)
    return Path(encoded: encoded, count: count + 1)
  }

  /// One more label of these raw bytes; `nil` if there are none.
  public func appending(bytes: Span<UInt8>) -> Path? {
    guard !bytes.isEmpty else { return nil }
    var encoded = self.encoded
    encoded.reserveCapacity(encoded.count + bytes.count + 1)
    PathBytes.appendLength(bytes.count, to: &encoded)
    for index in bytes.indices { encoded.append(bytes[index]) }
    return Path(encoded: encoded, count: count + 1)
  }

  /// This path and, behind it, what `other` has from the byte offset `tail` on.
  @usableFromInline func appending(_ other: Path, from tail: PathTail) -> Path {
    if tail.count == 0 { return self }
    if isEmpty && tail.offset == 0 { return other }
    var encoded = self.encoded
    encoded.reserveCapacity(encoded.count + other.encoded.count - tail.offset)
    encoded += other.encoded[tail.offset...]
    return Path(encoded: encoded, count: count + tail.count)
  }

  /// Bytes of the encoding: what it costs to copy or hash the path.
  @usableFromInline var encodedCount: Int { encoded.count }

  private func offset(ofLabel index: Int) -> Int {
    var offset = 0
    for _ in 0..<max(0, index) { _ = PathBytes.label(of: encoded, at: &offset) }
    return offset
  }
}

extension Path: Hashable {
  public func hash(into hasher: inout Hasher) { encoded.withUnsafeBytes { hasher.combine(bytes: $0) } }
}

extension Path: Comparable {
  /// Label by label; a proper prefix comes first.
  public static func < (a: Path, b: Path) -> Bool {
    var offsetA = 0
    var offsetB = 0
    while let labelB = PathBytes.label(of: b.encoded, at: &offsetB) {
      guard let labelA = PathBytes.label(of: a.encoded, at: &offsetA) else { return true }
      if a.encoded[labelA].lexicographicallyPrecedes(b.encoded[labelB]) { return true }
      if !a.encoded[labelA].elementsEqual(b.encoded[labelB]) { return false }
    }
    return false
  }
}

extension Path: ExpressibleByStringLiteral {
  /// For paths known when the program is written; a malformed one is a bug and traps.
  public init(stringLiteral text: String) {
    do throws(DtabError) {
      try self.init(parsing: text)
    } catch {
      preconditionFailure("\(text): \(error)")
    }
  }
}

extension Path: CustomStringConvertible {
  /// The written form, which parses back to the same path.
  public var description: String {
    PathBytes.printed(encoded)
  }
}
