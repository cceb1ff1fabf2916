/// Outcome of a step of parsing: where it ended, or why it did not.
enum ParseStep {
  /// Ended before this offset.
  case done(Int)
  case needMore
  case failed(H1Error)
}

extension FieldBlock {
  /// Reads field lines from `start` up to and including the blank line; `done` gives the length of the head.
  ///
  /// Known names need no check of their bytes: an exact match is a token. Values are searched eight bytes at a time for
  /// the control that ends them.
  @inline(__always)
  mutating func parse(_ bytes: Bytes, from start: Int, fieldCountMax: Int) -> ParseStep {
    var line = start
    while true {
      var words = NameWords(first: bytes.word(at: line), second: 0, third: 0)
      if UInt8(truncatingIfNeeded: words.first) == UInt8(ascii: "\r") { return endOfHead(bytes, at: line) }

      // The name: up to 24 bytes at once, longer ones in the general path.
      var id = KnownHeader.other
      var colon = line
      let mask = Word.equal(words.first, to: UInt8(ascii: ":"))
      if mask != 0 {
        let length = Word.first(mask)
        words.first = Word.lowercased(Word.prefix(words.first, length))
        id = .recognise(length: length, words)
        colon &+= length
      } else if let length = words.extend(bytes, at: line) {
        id = .recognise(length: length, words)
        colon &+= length
      }
      if id == .other || id == .l5dOther {
        switch FieldBlock.checkName(bytes, from: line, isFirst: line == start) {
        case .done(let end): colon = end
        case let step: return step
        }
      }

      // The value.
      var value = colon &+ 1
      while value < bytes.count, bytes[value] == 0x20 || bytes[value] == 0x09 { value &+= 1 }
      var end = value
      while true {
        let mask = Word.controls(bytes.word(at: end))
        if mask == 0 {
          end &+= 8
          continue
        }
        end &+= Word.first(mask)
        if end >= bytes.count { return .needMore }
        if bytes[end] != 0x09 { break }
        end &+= 1
      }
      let lineEnd = end &+ 2
      if UInt16(truncatingIfNeeded: bytes.word(at: end)) != 0x0a0d { return lineEndProblem(bytes, at: end) }
      while end > value, bytes[end &- 1] == 0x20 || bytes[end &- 1] == 0x09 { end &-= 1 }

      if fields.count >= fieldCountMax { return .failed(H1Error(.tooManyFields, at: line)) }
      append(id: id, line: line, colon: colon, value: value, valueEnd: end, lineEnd: lineEnd)
      line = lineEnd
    }
  }

  @inline(__always)
  private func endOfHead(_ bytes: Bytes, at line: Int) -> ParseStep {
    if line &+ 1 >= bytes.count { return .needMore }
    if bytes[line &+ 1] == UInt8(ascii: "\n") { return .done(line &+ 2) }
    return .failed(H1Error(.bareCR, at: line))
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
        if next == bytes.count { return .failed(H1Error(.badName, at: index)) }
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

extension NameWords {
  /// Goes on to the second and third word in search of the colon, and puts the name in lower case; its length, or nil
  /// when there is no colon within 24 bytes.
  @inline(__always)
  mutating func extend(_ bytes: Bytes, at line: Int) -> Int? {
    if line &+ 8 > bytes.count { return nil }
    second = bytes.word(at: line &+ 8)
    var mask = Word.equal(second, to: UInt8(ascii: ":"))
    if mask != 0 {
      let length = Word.first(mask)
      first = Word.lowercased(first)
      second = Word.lowercased(Word.prefix(second, length))
      return 8 &+ length
    }
    if line &+ 16 > bytes.count { return nil }
    third = bytes.word(at: line &+ 16)
    mask = Word.equal(third, to: UInt8(ascii: ":"))
    if mask == 0 { return nil }
    let length = Word.first(mask)
    first = Word.lowercased(first)
    second = Word.lowercased(second)
    third = Word.lowercased(Word.prefix(third, length))
    return 16 &+ length
  }
}

/// Names what is wrong where a line should end in CRLF but does not.
@inline(never)
func lineEndProblem(_ bytes: Bytes, at index: Int) -> ParseStep {
  switch bytes[index] {
  case UInt8(ascii: "\r"):
    return index &+ 1 >= bytes.count ? .needMore : .failed(H1Error(.bareCR, at: index))
  case UInt8(ascii: "\n"): return .failed(H1Error(.bareLF, at: index))
  default: return .failed(H1Error(.badValueByte, at: index))
  }
}
