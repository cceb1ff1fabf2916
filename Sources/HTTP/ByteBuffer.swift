/// A growing run of bytes: appended to at the end, consumed from the front.
///
/// Keeps its storage when emptied, so that steady use allocates nothing; `releaseStorage` gives it back. Confined to one
/// thread. Exclusivity is unchecked on the stored properties because no method calls out while it changes them.
public final class ByteBuffer {
  @exclusivity(unchecked) @usableFromInline var base: UnsafeMutableRawPointer?
  @exclusivity(unchecked) public private(set) var capacity: Int
  /// Offset of the first readable byte.
  @exclusivity(unchecked) @usableFromInline var start = 0
  /// Offset after the last readable byte. Invariant: `start <= end <= capacity`.
  @exclusivity(unchecked) @usableFromInline var end = 0

  public init(minimumCapacity: Int = 0) {
    capacity = minimumCapacity
    base =
      minimumCapacity > 0 ? UnsafeMutableRawPointer.allocate(byteCount: minimumCapacity, alignment: 16) : nil
  }

  deinit { base?.deallocate() }

  /// Bytes that are readable.
  @inlinable public var count: Int { end &- start }
  @inlinable public var isEmpty: Bool { end == start }

  /// The readable bytes; valid until the next change.
  @inlinable
  public var readable: UnsafeRawBufferPointer {
    guard let base else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(start: base + start, count: end &- start)
  }

  /// The readable bytes, bound to this buffer's lifetime.
  @inlinable
  public func withSpan<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
    let bytes = readable.assumingMemoryBound(to: UInt8.self)
    return try body(Span(_unsafeElements: bytes))
  }

  /// Forgets all bytes and keeps the storage.
  @inlinable
  public func removeAll() {
    start = 0
    end = 0
  }

  /// Forgets all bytes and gives the storage back.
  public func releaseStorage() {
    base?.deallocate()
    base = nil
    capacity = 0
    start = 0
    end = 0
  }

  /// Takes `count` bytes from the front.
  @inlinable
  public func consume(_ count: Int) {
    precondition(count >= 0 && count <= end &- start, "more consumed than readable")
    start &+= count
    if start == end { removeAll() }
  }

  /// Takes bytes from the end, so that `count` remain: undoes an append.
  @inlinable
  public func truncate(to count: Int) {
    precondition(count >= 0 && count <= end &- start, "truncated to more than readable")
    end = start &+ count
  }

  /// Makes room for `count` more bytes without a further allocation.
  @inlinable
  public func reserve(_ count: Int) {
    precondition(count >= 0, "negative reservation")
    if capacity &- end < count { makeRoom(count) }
  }

  /// Moves the readable bytes to the front when at least half of the storage lies unused before them; else grows to
  /// twice the size.
  @usableFromInline
  func makeRoom(_ count: Int) {
    let used = end - start
    if let base, start >= capacity / 2, capacity - used >= count {
      base.copyMemory(from: base + start, byteCount: used)
    } else {
      let grown = max(64, max(used + count, capacity * 2))
      let storage = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 16)
      if let base {
        storage.copyMemory(from: base + start, byteCount: used)
        base.deallocate()
      }
      base = storage
      capacity = grown
    }
    start = 0
    end = used
  }

  /// Room of at least `minimum` bytes after the readable ones, to be filled from outside and confirmed by `didWrite`.
  @inlinable
  public func writable(minimum: Int) -> UnsafeMutableRawBufferPointer {
    reserve(minimum)
    guard let base else { return UnsafeMutableRawBufferPointer(start: nil, count: 0) }
    return UnsafeMutableRawBufferPointer(start: base + end, count: capacity &- end)
  }

  /// Makes `count` bytes readable that were written to `writable`.
  @inlinable
  public func didWrite(_ count: Int) {
    precondition(count >= 0 && count <= capacity &- end, "more written than there was room")
    end &+= count
  }
}

extension ByteBuffer {
  @inlinable
  public func append(_ byte: UInt8) {
    reserve(1)
    base.unsafelyUnwrapped.storeBytes(of: byte, toByteOffset: end, as: UInt8.self)
    end &+= 1
  }

  /// `bytes` must not lie within this buffer.
  @inlinable
  public func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress, bytes.count > 0 else { return }
    reserve(bytes.count)
    (base.unsafelyUnwrapped + end).copyMemory(from: source, byteCount: bytes.count)
    end &+= bytes.count
  }

  @inlinable
  public func append(_ bytes: Span<UInt8>) { bytes.withUnsafeBytes { append($0) } }

  @inlinable
  public func append(_ text: StaticString) {
    append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// The UTF-8 of `text`; for the control plane. Literals are taken as `StaticString`.
  @_disfavoredOverload
  public func append(_ text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  /// `number` in decimal digits.
  @inlinable
  public func append(decimal number: UInt64) {
    var digits = 1
    var rest = number
    while rest >= 10 {
      rest /= 10
      digits &+= 1
    }
    reserve(digits)
    rest = number
    var index = end &+ digits
    end = index
    repeat {
      index &-= 1
      base.unsafelyUnwrapped.storeBytes(
        of: UInt8(truncatingIfNeeded: rest % 10) &+ 0x30, toByteOffset: index, as: UInt8.self)
      rest /= 10
    } while rest > 0
  }

  @inlinable
  public func append(decimal number: Int) {
    if number < 0 { append(UInt8(ascii: "-")) }
    append(decimal: UInt64(number.magnitude))
  }

  /// `number` in lower-case hexadecimal digits without leading zeros.
  @inlinable
  public func append(hex number: UInt64) {
    let digits = max(1, (64 &- number.leadingZeroBitCount &+ 3) / 4)
    reserve(digits)
    var rest = number
    var index = end &+ digits
    end = index
    repeat {
      index &-= 1
      let digit = UInt8(truncatingIfNeeded: rest & 15)
      base.unsafelyUnwrapped.storeBytes(
        of: digit < 10 ? digit &+ 0x30 : digit &+ 0x57, toByteOffset: index, as: UInt8.self)
      rest >>= 4
    } while rest > 0
  }

  /// `name: value` and a line end. The caller answers for both being valid; see `FieldSyntax`.
  @inlinable
  public func appendField(_ name: StaticString, _ value: StaticString) {
    append(name)
    append(": ")
    append(value)
    append("\r\n")
  }

  @inlinable
  public func appendField(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
    append(name)
    append(": ")
    append(value)
    append("\r\n")
  }

  @inlinable
  public func appendField(_ name: StaticString, decimal value: UInt64) {
    append(name)
    append(": ")
    append(decimal: value)
    append("\r\n")
  }
}
