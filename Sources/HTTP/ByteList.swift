/// Walks the members of a comma-separated field value; skips optional white space and empty members
/// (RFC 9110 §5.6.1.2).
struct ByteList {
  let bytes: Bytes
  private var next: Int
  private let end: Int

  init(_ bytes: Bytes, _ value: ByteRange) {
    self.bytes = bytes
    next = value.start
    end = value.end
  }

  /// The next member without white space around it. Knows no quoting: for lists of tokens.
  mutating func nextMember() -> ByteRange? {
    while next < end {
      let byte = bytes[next]
      if byte != 0x20 && byte != 0x09 && byte != UInt8(ascii: ",") { break }
      next &+= 1
    }
    if next >= end { return nil }
    let start = next
    while next < end, bytes[next] != UInt8(ascii: ",") { next &+= 1 }
    var last = next
    while last > start, bytes[last &- 1] == 0x20 || bytes[last &- 1] == 0x09 { last &-= 1 }
    return ByteRange(from: start, to: last)
  }
}

extension Bytes {
  /// Whether `range` holds `text`, which is in lower case, in any letter case.
  @inline(__always)
  func equal(_ range: ByteRange, ignoringCase text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    if Int(range.count) != count { return false }
    var index = 0
    while index < count {
      let word = Word.lowercased(Word.prefix(self.word(at: range.start &+ index), count &- index))
      if word != Word.literal(text, at: index) { return false }
      index &+= 8
    }
    return true
  }

  func equalIgnoringCase(_ left: ByteRange, _ right: ByteRange) -> Bool {
    if left.count != right.count { return false }
    var index = 0
    let count = Int(left.count)
    while index < count {
      let left = Word.lowercased(Word.prefix(word(at: left.start &+ index), count &- index))
      let right = Word.lowercased(Word.prefix(word(at: right.start &+ index), count &- index))
      if left != right { return false }
      index &+= 8
    }
    return true
  }

  func isToken(_ range: ByteRange) -> Bool {
    for index in range.indices where !ByteClass.of(self[index]).contains(.token) { return false }
    return range.count > 0
  }

  /// The known name spelt by `range`.
  func knownHeader(_ range: ByteRange) -> KnownHeader {
    let count = Int(range.count)
    let first = Word.prefix(word(at: range.start), count)
    if count > NameWords.lengthMax { return KnownHeader.startsWithL5d(first) ? .l5dOther : .other }
    let second = count > 8 ? Word.prefix(word(at: range.start &+ 8), count &- 8) : 0
    let third = count > 16 ? Word.prefix(word(at: range.start &+ 16), count &- 16) : 0
    return .recognise(NameWords(first, second, NameWords.tagged(third, length: count)), words: 3)
  }
}
