/// A slice of a message head: `count` bytes from `offset`, counted from the first byte handed to the parser.
public struct ByteRange: Equatable, Sendable {
  public var offset: Int32
  public var count: Int32

  @inlinable
  public init(offset: Int32, count: Int32) {
    self.offset = offset
    self.count = count
  }

  @inlinable
  init(from: Int, to: Int) {
    self.init(offset: Int32(truncatingIfNeeded: from), count: Int32(truncatingIfNeeded: to &- from))
  }

  public static let empty = ByteRange(offset: 0, count: 0)

  @inlinable public var start: Int { Int(offset) }
  @inlinable public var end: Int { Int(offset) &+ Int(count) }
  @inlinable public var isEmpty: Bool { count == 0 }
  /// The same as a range of indices into the head.
  @inlinable public var indices: Range<Int> { start..<end }
}

extension Span<UInt8> {
  /// The bytes of `range`; traps when the range does not lie within.
  @inlinable
  public subscript(_ range: ByteRange) -> Span<UInt8> {
    @_lifetime(copy self)
    get { extracting(range.indices) }
  }
}

extension UnsafeRawBufferPointer {
  /// The bytes of `range`; traps when the range does not lie within.
  @inlinable
  public subscript(_ range: ByteRange) -> UnsafeRawBufferPointer {
    precondition(range.start >= 0 && range.count >= 0 && range.end <= count, "range outside of the head")
    return UnsafeRawBufferPointer(rebasing: self[range.indices])
  }
}
