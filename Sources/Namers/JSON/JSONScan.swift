/// Looks at eight bytes at once where nothing but the end of a stretch matters.
enum JSONScan {
  private static func all(_ byte: UInt8) -> UInt64 { 0x0101_0101_0101_0101 &* UInt64(byte) }

  /// Marks the lowest byte equal to `byte`; higher marks may be wrong by a borrow.
  @inline(__always)
  private static func equal(_ word: UInt64, _ byte: UInt8) -> UInt64 {
    let difference = word ^ all(byte)
    return (difference &- all(1)) & ~difference & all(0x80)
  }

  /// The first index from `start` on of a quote, a backslash or a control character; or the end.
  @inline(__always)
  static func endOfPlain(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var index = start
    let raw = bytes.bytes
    while index &+ 8 <= bytes.count {
      let word = UInt64(littleEndian: raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
      let mask = equal(word, 0x22) | equal(word, 0x5c) | (word &- all(0x20)) & ~word & all(0x80)
      if mask != 0 { return index &+ mask.trailingZeroBitCount &>> 3 }
      index &+= 8
    }
    while index < bytes.count {
      let byte = bytes[index]
      if byte == 0x22 || byte == 0x5c || byte < 0x20 { return index }
      index &+= 1
    }
    return index
  }

  /// The first index from `start` on of a quote, a bracket or a brace; or the end.
  @inline(__always)
  static func endOfFlat(_ bytes: Span<UInt8>, from start: Int) -> Int {
    var index = start
    let raw = bytes.bytes
    while index &+ 8 <= bytes.count {
      let word = UInt64(littleEndian: raw.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
      // Brackets and braces differ in 0x20 only, and each pair in 0x06.
      let folded = word | all(0x26)
      let mask = equal(folded, 0x7f) | equal(word, 0x22)
      if mask != 0 {
        let found = index &+ mask.trailingZeroBitCount &>> 3
        if isStructure(bytes[found]) { return found }
        index = found &+ 1
        continue
      }
      index &+= 8
    }
    while index < bytes.count, !isStructure(bytes[index]) { index &+= 1 }
    return index
  }

  @inline(__always)
  private static func isStructure(_ byte: UInt8) -> Bool {
    byte == 0x22 || byte == 0x5b || byte == 0x5d || byte == 0x7b || byte == 0x7d
  }
}
