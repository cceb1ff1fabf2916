/// The field lines of a head, with an index of the known names.
///
/// Reused from message to message: parsing keeps the capacity. Holds positions only, so it is meaningful together with
/// the bytes it was parsed from.
public struct FieldBlock: Sendable {
  /// The first `count` are the head's fields; the rest is room for the next head.
  @usableFromInline var storage: [HeaderField]
  public internal(set) var count = 0
  /// Known names that occur; `other` and `l5dOther` when any such name occurs.
  public internal(set) var present = KnownHeaderSet()
  /// Known names that occur on more than one line.
  public internal(set) var repeated = KnownHeaderSet()
  /// Whether any field is hop-by-hop.
  public internal(set) var hasHopByHop = false
  /// Connection options with a meaning of their own.
  public internal(set) var connectionClose = false
  public internal(set) var connectionKeepAlive = false
  public internal(set) var connectionUpgrade = false
  /// Members of all Via fields together: the number of proxies that the message came through.
  public internal(set) var viaCount = 0

  /// Positions of the first Host, Connection, Content-Length and Transfer-Encoding, 16 bits each: every message asks
  /// for these.
  @usableFromInline var firstIndices: UInt64 = 0

  /// Raw values up to this have their place in `firstIndices`.
  @inlinable static var indexedMax: UInt8 { KnownHeader.transferEncoding.rawValue }

  @inlinable
  static func indexShift(_ header: KnownHeader) -> UInt64 { UInt64(header.rawValue & 3) &* 16 }

  public init() {
    storage = Array(repeating: HeaderField.none, count: 32)
  }

  /// All fields in the order they came in; indices start at 0.
  @inlinable public var fields: ArraySlice<HeaderField> { storage[0..<count] }

  /// The field at `index`, which is below `count`.
  @inlinable
  public subscript(_ index: Int) -> HeaderField {
    precondition(index < count, "no such field")
    return storage[index]
  }

  /// Position of the first field with this name.
  @inlinable
  public func index(of header: KnownHeader) -> Int? {
    if !present.contains(header) { return nil }
    if header.rawValue &- 1 < FieldBlock.indexedMax {
      return Int(truncatingIfNeeded: firstIndices &>> FieldBlock.indexShift(header) & 0xffff)
    }
    return firstIndex(of: header, from: 0)
  }

  /// Position of the first field with this name at `start` or after.
  @inlinable
  public func firstIndex(of header: KnownHeader, from start: Int) -> Int? {
    var index = start
    while index < count {
      if storage[index].id == header { return index }
      index &+= 1
    }
    return nil
  }

  /// Value of the first line with this name.
  @inlinable
  public func value(of header: KnownHeader) -> ByteRange? {
    guard let index = index(of: header) else { return nil }
    return storage[index].value
  }

  /// Position of the second line with a repeated name, for the place of an error.
  func secondIndex(of header: KnownHeader) -> Int {
    guard let first = index(of: header) else { return 0 }
    return firstIndex(of: header, from: first + 1) ?? first
  }
}
