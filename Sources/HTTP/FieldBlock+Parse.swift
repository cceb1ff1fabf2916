/// Outcome of a step of parsing: where it ended, or why it did not.
enum ParseStep {
  /// Ended before this offset.
  case done(Int)
  case needMore
  case failed(H1Error)
}

extension FieldBlock {
  /// Reads field lines from `start` up to and including the blank line; `done` gives the length of the head.
  @inline(__always)
  mutating func parse(_ bytes: Bytes, from start: Int, fieldCountMax: Int) -> ParseStep {
    var scan = FieldScan(line: start)
    while true {
      let step = storage.withUnsafeMutableBufferPointer {
        scan.run(bytes, into: $0, isFirst: start, fieldCountMax: fieldCountMax)
      }
      if case .needMore = step, scan.isFull {
        storage.append(contentsOf: repeatElement(HeaderField.none, count: storage.count))
        scan.isFull = false
        continue
      }
      count = scan.count
      present = scan.present
      repeated = scan.repeated
      firstIndices = scan.firstIndices
      hasHopByHop = !scan.present.isDisjoint(with: .hopByHop)
      connectionClose = false
      connectionKeepAlive = false
      connectionUpgrade = false
      viaCount = 0
      return step
    }
  }
}

/// The state of the loop over field lines, kept in registers while it runs.
struct FieldScan {
  /// Start of the line to be read.
  var line: Int
  var count = 0
  var present = KnownHeaderSet()
  var repeated = KnownHeaderSet()
  /// As `FieldBlock.firstIndices`.
  var firstIndices: UInt64 = 0
  /// Whether the loop stopped for lack of room, not of bytes.
  var isFull = false

  init(line: Int) { self.line = line }

  /// Known names need no check of their bytes: an exact match is a token. Values are searched eight bytes at a time for
  /// the control that ends them.
  @inline(__always)
  mutating func run(
    _ bytes: Bytes, into fields: UnsafeMutableBufferPointer<HeaderField>, isFirst start: Int, fieldCountMax: Int
  ) -> ParseStep {
    let room = min(fields.count, fieldCountMax)
    while true {
      let first = bytes.word(at: line)
      if UInt8(truncatingIfNeeded: first) == UInt8(ascii: "\r") { return endOfHead(bytes) }

      var (id, colon) = FieldScan.name(bytes, line: line, first: first)
      if id == .other || id == .l5dOther, !FieldScan.isPlainName(bytes, from: line, to: colon) {
        switch FieldScan.checkName(bytes, from: line, isFirst: line == start) {
        case .done(let end): colon = end
        case let step: return step
        }
      }

      // The value: one space, then none, is how nearly all start.
      var end = colon &+ 1
      var word = bytes.word(at: end)
      var value = end
      if UInt8(truncatingIfNeeded: word) <= 0x20 {
        value &+= 1
        if UInt8(truncatingIfNeeded: word) != 0x20 || UInt8(truncatingIfNeeded: word &>> 8) <= 0x20 {
          value = FieldScan.skipWhitespace(bytes, from: end)
        }
      }
      while true {
        let mask = Word.controls(word)
        if mask == 0 {
          end &+= 8
          word = bytes.word(at: end)
          continue
        }
        let index = Word.first(mask)
        end &+= index
        // The line end, from the same word where it has both bytes.
        let rest = index < 7 ? word &>> UInt64(truncatingIfNeeded: index &* 8) : bytes.word(at: end)
        if UInt16(truncatingIfNeeded: rest) == 0x0a0d { break }
        if UInt8(truncatingIfNeeded: rest) != 0x09 { return lineEndProblem(bytes, at: end) }
        end &+= 1
        word = bytes.word(at: end)
      }
      let lineEnd = end &+ 2
      if end > value, bytes[end &- 1] <= 0x20 { end = FieldScan.trimWhitespace(bytes, from: value, to: end) }

      if count >= room {
        if count >= fieldCountMax { return .failed(H1Error(.tooManyFields, at: line)) }
        isFull = true
        return .needMore
      }
      if present.contains(id) {
        repeated.insert(id)
      } else {
        present.insert(id)
        if id.rawValue &- 1 < FieldBlock.indexedMax { firstIndices |= UInt64(count) &<< FieldBlock.indexShift(id) }
      }
      fields[count] = HeaderField(
        id: id, name: ByteRange(from: line, to: colon), value: ByteRange(from: value, to: end),
        line: ByteRange(from: line, to: lineEnd), isHopByHop: KnownHeaderSet.hopByHop.contains(id))
      count &+= 1
      line = lineEnd
    }
  }

  @inline(__always)
  private func endOfHead(_ bytes: Bytes) -> ParseStep {
    if line &+ 1 >= bytes.count { return .needMore }
    if bytes[line &+ 1] == UInt8(ascii: "\n") { return .done(line &+ 2) }
    return .failed(H1Error(.bareCR, at: line))
  }

  /// The name at `line` and the place of its colon, `line` itself where that is for `checkName` to find. `first` is the
  /// word at `line`. A name that is not a known one has not been checked.
  @inline(__always)
  static func name(_ bytes: Bytes, line: Int, first: UInt64) -> (KnownHeader, Int) {
    let mask = Word.equal(first, to: UInt8(ascii: ":"))
    if mask == 0 { return longName(bytes, line: line, first: first) }
    let length = Word.first(mask)
    let name = NameWords(Word.prefix(first, length), 0, NameWords.tagged(0, length: length))
    return (.recognise(name, words: 1), line &+ length)
  }

  /// A name of 8 to 23 bytes and the place of its colon; for longer ones `checkName` finds it.
  @inline(__always)
  private static func longName(_ bytes: Bytes, line: Int, first: UInt64) -> (KnownHeader, Int) {
    if line &+ 8 > bytes.count { return (.other, line) }
    let second = bytes.word(at: line &+ 8)
    var mask = Word.equal(second, to: UInt8(ascii: ":"))
    if mask != 0 {
      let length = 8 &+ Word.first(mask)
      let name = NameWords(first, Word.prefix(second, length &- 8), NameWords.tagged(0, length: length))
      return (.recognise(name, words: 2), line &+ length)
    }
    if line &+ 16 > bytes.count { return (.other, line) }
    let third = bytes.word(at: line &+ 16)
    mask = Word.equal(third, to: UInt8(ascii: ":"))
    if mask != 0 {
      let length = 16 &+ Word.first(mask)
      let name = NameWords(first, second, NameWords.tagged(Word.prefix(third, length &- 16), length: length))
      return (.recognise(name, words: 3), line &+ length)
    }
    return (KnownHeader.startsWithL5d(first) ? .l5dOther : .other, line)
  }

  @inline(never)
  private static func skipWhitespace(_ bytes: Bytes, from start: Int) -> Int {
    var index = start
    while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 0x09 { index &+= 1 }
    return index
  }

  @inline(never)
  private static func trimWhitespace(_ bytes: Bytes, from start: Int, to end: Int) -> Int {
    var index = end
    while index > start, bytes[index &- 1] <= 0x20 { index &-= 1 }
    return index
  }

  /// Whether the name is not empty and holds letters, digits and hyphens alone; `checkName` looks closer.
  @inline(__always)
  private static func isPlainName(_ bytes: Bytes, from line: Int, to colon: Int) -> Bool {
    var index = line
    while index < colon {
      if !Word.isPlain(bytes.word(at: index), min(8, colon &- index)) { return false }
      index &+= 8
    }
    return colon > line
  }

  /// Checks a name which is not a known one; `done` gives the position of its colon.
  @inline(never)
  static func checkName(_ bytes: Bytes, from line: Int, isFirst: Bool) -> ParseStep {
    var index = line
    while index < bytes.count {
      let byte = bytes[index]
      if ByteClass.of(byte).contains(.token) {
        index &+= 1
        continue
      }
      switch byte {
      case UInt8(ascii: ":"): return index == line ? .failed(H1Error(.emptyName, at: index)) : .done(index)
      case 0x20, 0x09:
        if index == line {
          return .failed(H1Error(isFirst ? .whitespaceBeforeFirstField : .obsFold, at: index))
        }
        var next = index
        while next < bytes.count, bytes[next] == 0x20 || bytes[next] == 0x09 { next &+= 1 }
        if next == bytes.count { return .needMore }
        return .failed(H1Error(bytes[next] == UInt8(ascii: ":") ? .spaceBeforeColon : .badName, at: index))
      case UInt8(ascii: "\n"): return .failed(H1Error(.bareLF, at: index))
      case UInt8(ascii: "\r"):
        if index &+ 1 >= bytes.count { return .needMore }
        return .failed(H1Error(bytes[index &+ 1] == UInt8(ascii: "\n") ? .missingColon : .bareCR, at: index))
      default: return .failed(H1Error(.badName, at: index))
      }
    }
    return .needMore
  }
}

/// Names what is wrong where a line should end in CRLF but does not.
@inline(never)
func lineEndProblem(_ bytes: Bytes, at index: Int) -> ParseStep {
  if index >= bytes.count { return .needMore }
  switch bytes[index] {
  case UInt8(ascii: "\r"):
    return index &+ 1 >= bytes.count ? .needMore : .failed(H1Error(.bareCR, at: index))
  case UInt8(ascii: "\n"): return .failed(H1Error(.bareLF, at: index))
  default: return .failed(H1Error(.badValueByte, at: index))
  }
}
