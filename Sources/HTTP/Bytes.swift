/// The parser's view of its input: every read is checked against `count`, one byte or eight at a time.
///
/// Borrowed from the caller for the length of one call; never stored.
struct Bytes {
  let base: UnsafeRawPointer
  let count: Int
  /// Words may be loaded from indices below this.
  private let wordCount: UInt

  @inline(__always)
  init(_ buffer: UnsafeRawBufferPointer, atMost countMax: Int = .max) {
    // An empty buffer may have no address; its bytes are never read, so any address serves.
    base = buffer.baseAddress ?? UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped
    count = min(buffer.count, countMax)
    wordCount = count >= 8 ? UInt(bitPattern: count &- 7) : 0
  }

  @inline(__always)
  subscript(_ index: Int) -> UInt8 {
    precondition(UInt(bitPattern: index) < UInt(bitPattern: count))
    return base.load(fromByteOffset: index, as: UInt8.self)
  }

  /// The first index from `start` on, below `end`, whose byte is not of `kind`; or `end`.
  @inline(__always)
  func skip(_ kind: ByteClass, from start: Int, to end: Int) -> Int {
    // Checked once: the loop stays between the two.
    precondition(start >= 0 && start <= end && end <= count)
    var index = start
    while index < end, ByteClass.of(base.load(fromByteOffset: index, as: UInt8.self)).contains(kind) { index &+= 1 }
    return index
  }

  /// Eight bytes from `index` on, the first in the lowest bits; bytes past the end read as NUL. `index` may be `count`.
  @inline(__always)
  func word(at index: Int) -> UInt64 {
    if UInt(bitPattern: index) < wordCount {
      return UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self))
    }
    return tail(at: index)
  }

  @inline(never)
  private func tail(at index: Int) -> UInt64 {
    precondition(UInt(bitPattern: index) <= UInt(bitPattern: count))
    if wordCount == 0 {
      var word: UInt64 = 0
      for offset in index..<count { word |= UInt64(self[offset]) << UInt64(8 * (offset - index)) }
      return word
    }
    // At most seven bytes are left: the last word of all, shifted. By 64 where none is left.
    let last = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self))
    return last >> UInt64(truncatingIfNeeded: 8 &* (8 &- (count &- index)))
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

  /// Whether the lowest `count` bytes are all letters, digits or hyphens, which are the usual tokens.
  @inline(__always)
  static func isPlain(_ word: UInt64, _ count: Int) -> Bool {
    let seven = all(0x7f)
    let folded = (word | all(0x20)) & seven
    let letters = (folded &+ all(0x80 - 0x61)) & ~(folded &+ all(0x80 - 0x7b))
    let low = word & seven
    let digits = (low &+ all(0x80 - 0x30)) & ~(low &+ all(0x80 - 0x3a))
    let hyphens = ~((low ^ all(0x2d)) &+ seven)
    return prefix(~((letters | digits | hyphens) & ~word) & highBits, count) == 0
  }

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
