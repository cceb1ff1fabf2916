/// The parser's view of its input: every read is checked against `count`, one byte or eight at a time.
///
/// Borrowed from the caller for the length of one call; never stored.
struct Bytes {
  let base: UnsafeRawPointer
  let count: Int

  @inline(__always)
  init(_ buffer: UnsafeRawBufferPointer) {
    // An empty buffer may have no address; its bytes are never read, so any address serves.
    base = buffer.baseAddress ?? UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped
    count = buffer.count
  }

  @inline(__always)
  subscript(_ index: Int) -> UInt8 {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    return base.load(fromByteOffset: index, as: UInt8.self)
  }

  /// Eight bytes from `index` on, the first in the lowest bits; bytes past the end read as NUL.
  @inline(__always)
  func word(at index: Int) -> UInt64 {
    precondition(UInt(bitPattern: index) <= UInt(bitPattern: count))
    let left = count &- index
    if left >= 8 { return UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self)) }
    return tail(at: index, left: left)
  }

  @inline(__always)
  private func tail(at index: Int, left: Int) -> UInt64 {
    if left == 0 { return 0 }
    if count >= 8 {
      let last = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self))
      return last &>> UInt64(truncatingIfNeeded: 8 &* (8 &- left))
    }
    return shortTail(at: index)
  }

  @inline(never)
  private func shortTail(at index: Int) -> UInt64 {
    var word: UInt64 = 0
    for offset in index..<count { word |= UInt64(self[offset]) << UInt64(8 * (offset - index)) }
    return word
  }
}

/// Eight bytes at once. In each mask the lowest set bit is exact; higher ones may be wrong by a borrow.
enum Word {
  @inline(__always) static func all(_ byte: UInt8) -> UInt64 { 0x0101_0101_0101_0101 &* UInt64(byte) }
  @inline(__always) static var highBits: UInt64 { all(0x80) }

  /// Marks bytes equal to `byte`.
  @inline(__always)
  static func equal(_ word: UInt64, to byte: UInt8) -> UInt64 {
    let difference = word ^ all(byte)
    return (difference &- all(1)) & ~difference & highBits
  }

  /// Marks bytes below `limit`, which is at most 0x80.
  @inline(__always)
  static func below(_ word: UInt64, _ limit: UInt8) -> UInt64 { (word &- all(limit)) & ~word & highBits }

  /// Marks controls: bytes below 0x20 (HTAB too) and DEL.
  @inline(__always)
  static func controls(_ word: UInt64) -> UInt64 { below(word, 0x20) | equal(word, to: 0x7f) }

  /// Index of the first marked byte.
  @inline(__always)
  static func first(_ mask: UInt64) -> Int { mask.trailingZeroBitCount &>> 3 }

  /// The lowest `count` bytes, 0 to 8 of them.
  @inline(__always)
  static func prefix(_ word: UInt64, _ count: Int) -> UInt64 {
    count >= 8 ? word : word & ((1 &<< UInt64(truncatingIfNeeded: count &* 8)) &- 1)
  }

  /// ASCII letters in lower case, all else as it is.
  @inline(__always)
  static func lowercased(_ word: UInt64) -> UInt64 {
    let low = word & all(0x7f)
    let fromA = low &+ all(0x80 - 0x41)
    let pastZ = low &+ all(0x80 - 0x5b)
    return word | ((fromA ^ pastZ) & ~word & highBits) &>> 2
  }

  /// Eight bytes of a literal from `at` on, NUL past its end; folded to a constant.
  @inline(__always)
  static func literal(_ text: StaticString, at: Int = 0) -> UInt64 {
    var word: UInt64 = 0
    var index = 0
    while index < 8 {
      if at &+ index < text.utf8CodeUnitCount {
        word |= UInt64(text.utf8Start[at &+ index]) &<< UInt64(truncatingIfNeeded: 8 &* index)
      }
      index &+= 1
    }
    return word
  }
}
