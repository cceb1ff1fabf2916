extension RequestHead {
  /// Empty lines tolerated before a request line (RFC 9112 §2.2 asks for at least one).
  static let emptyLinesMax = 4

  /// Reads the head of a request from the start of `bytes`, which may go on beyond it.
  ///
  /// On `.needMore` call again with the same bytes and more after them; nothing is remembered between calls, so one
  /// `RequestHead` serves many connections. A caller may keep `resumeAt` with the connection and pass it the next time:
  /// then nothing is parsed until a line has ended, and slow senders cost little; an error within an unfinished line
  /// may then be reported only when the line ends.
  public mutating func parse(_ bytes: Span<UInt8>, limits: H1Limits, resumeAt: Int = 0) -> H1ParseResult {
    bytes.withUnsafeBytes { parse($0, limits: limits, resumeAt: resumeAt) }
  }

  public mutating func parse(
    _ bytes: UnsafeRawBufferPointer, limits: H1Limits, resumeAt: Int = 0
  ) -> H1ParseResult {
    // What lies beyond the limit is not looked at: a head that does not end before it is too long.
    let window = Bytes(bytes, atMost: limits.headBytesMax)
    if resumeAt > 0, !window.mayHaveNews(after: resumeAt, limits: limits) {
      self.resumeAt = bytes.count
      return .needMore
    }
    switch parseHead(window, limits: limits) {
    case .done(let end):
      length = end
      return .complete
    case .failed(let error): return .failed(error)
    case .needMore:
      if bytes.count >= limits.headBytesMax { return .failed(H1Error(.headTooLong, at: limits.headBytesMax)) }
      self.resumeAt = bytes.count
      return .needMore
    }
  }

  @inline(__always)
  private mutating func parseHead(_ bytes: Bytes, limits: H1Limits) -> ParseStep {
    var line = 0
    if bytes.count > 0, bytes[0] == UInt8(ascii: "\r") || bytes[0] == UInt8(ascii: "\n") {
      switch skipEmptyLines(bytes) {
      case .done(let end): line = end
      case let step: return step
      }
    }
    start = line
    let fieldsStart: Int
    switch parseRequestLine(bytes, from: line, lineBytesMax: limits.lineBytesMax) {
    case .done(let end): fieldsStart = end
    case let step: return step
    }
    let end: Int
    switch block.parse(bytes, from: fieldsStart, fieldCountMax: limits.fieldCountMax) {
    case .done(let headEnd): end = headEnd
    case let step: return step
    }
    if let error = conclude(bytes, limits: limits, end: end) { return .failed(error) }
    return .done(end)
  }

  @inline(never)
  private func skipEmptyLines(_ bytes: Bytes) -> ParseStep {
    var index = 0
    for _ in 0..<RequestHead.emptyLinesMax {
      if index >= bytes.count { return .needMore }
      if bytes[index] == UInt8(ascii: "\n") { return .failed(H1Error(.bareLF, at: index)) }
      if bytes[index] != UInt8(ascii: "\r") { break }
      if index + 1 >= bytes.count { return .needMore }
      if bytes[index + 1] != UInt8(ascii: "\n") { return .failed(H1Error(.bareCR, at: index)) }
      index += 2
    }
    return .done(index)
  }

  @inline(__always)
  private mutating func parseRequestLine(_ bytes: Bytes, from line: Int, lineBytesMax: Int) -> ParseStep {
    let targetStart: Int
    switch parseMethod(bytes, from: line) {
    case .done(let end): targetStart = end
    case .needMore: return unfinishedLine(bytes, from: line, max: lineBytesMax)
    case let step: return step
    }

    var end = targetStart
    while true {
      let word = bytes.word(at: end)
      let mask =
        Word.below(word, 0x21) | Word.equal(word, to: 0x7f) | Word.equal(word, to: UInt8(ascii: "#"))
        | (word & Word.highBits)
      if mask == 0 {
        end &+= 8
        continue
      }
      end &+= Word.first(mask)
      break
    }
    if end >= bytes.count { return unfinishedLine(bytes, from: line, max: lineBytesMax) }
    if bytes[end] != 0x20 { return targetProblem(bytes, at: end, line: line, max: lineBytesMax) }
    if end == targetStart { return .failed(H1Error(.emptyTarget, at: end)) }

    let version = bytes.word(at: end &+ 1)
    if version == Word.literal("HTTP/1.1") {
      minorVersion = 1
    } else if version == Word.literal("HTTP/1.0") {
      minorVersion = 0
    } else {
      switch versionProblem(bytes, at: end &+ 1) {
      case .needMore: return unfinishedLine(bytes, from: line, max: lineBytesMax)
      case let step: return step
      }
    }
    let lineEnd = end &+ 9
    if UInt16(truncatingIfNeeded: bytes.word(at: lineEnd)) != 0x0a0d {
      return startLineEndProblem(bytes, at: lineEnd, line: line, max: lineBytesMax)
    }
    if lineEnd &- line > lineBytesMax { return .failed(H1Error(.lineTooLong, at: line &+ lineBytesMax)) }
    target = ByteRange(from: targetStart, to: end)
    if bytes[targetStart] == UInt8(ascii: "/"), method != .connect {
      targetForm = .origin
      authority = .empty
      pathAndQuery = target
      pathNeedsSlash = false
      isServerWide = false
    } else if let error = parseOtherTarget(bytes) {
      return .failed(error)
    }
    return .done(lineEnd &+ 2)
  }

  /// `done` gives the start of the target.
  @inline(__always)
  private mutating func parseMethod(_ bytes: Bytes, from line: Int) -> ParseStep {
    let word = bytes.word(at: line)
    if Word.prefix(word, 4) == Word.literal("GET ") {
      method = .get
      methodRange = ByteRange(from: line, to: line &+ 3)
      return .done(line &+ 4)
    }
    if Word.prefix(word, 5) == Word.literal("POST ") {
      method = .post
      methodRange = ByteRange(from: line, to: line &+ 4)
      return .done(line &+ 5)
    }
    return parseOtherMethod(bytes, from: line)
  }

  @inline(never)
  private mutating func parseOtherMethod(_ bytes: Bytes, from line: Int) -> ParseStep {
    var end = line
    while end < bytes.count, ByteClass.of(bytes[end]).contains(.token) { end &+= 1 }
    if end >= bytes.count { return .needMore }
    if end == line || bytes[end] != 0x20 {
      switch bytes[end] {
      case UInt8(ascii: "\r"):
        if end &+ 1 >= bytes.count { return .needMore }
        return .failed(H1Error(bytes[end &+ 1] == UInt8(ascii: "\n") ? .badRequestLine : .bareCR, at: end))
      case UInt8(ascii: "\n"): return .failed(H1Error(.bareLF, at: end))
      default: return .failed(H1Error(.badMethod, at: end))
      }
    }
    methodRange = ByteRange(from: line, to: end)
    method =
      switch end &- line {
      case 3: bytes.matches(line, "PUT") ? .put : bytes.matches(line, "GET") ? .get : .other
      case 4: bytes.matches(line, "HEAD") ? .head : bytes.matches(line, "POST") ? .post : .other
      case 5: bytes.matches(line, "PATCH") ? .patch : bytes.matches(line, "TRACE") ? .trace : .other
      case 6: bytes.matches(line, "DELETE") ? .delete : .other
      case 7: bytes.matches(line, "OPTIONS") ? .options : bytes.matches(line, "CONNECT") ? .connect : .other
      default: .other
      }
    return .done(end &+ 1)
  }

  @inline(never)
  private func targetProblem(_ bytes: Bytes, at index: Int, line: Int, max: Int) -> ParseStep {
    switch bytes[index] {
    case UInt8(ascii: "\r"):
      if index &+ 1 >= bytes.count { return unfinishedLine(bytes, from: line, max: max) }
      // A request line without version is HTTP/0.9.
      return .failed(H1Error(bytes[index &+ 1] == UInt8(ascii: "\n") ? .badRequestLine : .bareCR, at: index))
    case UInt8(ascii: "\n"): return .failed(H1Error(.bareLF, at: index))
    default: return .failed(H1Error(.badTargetByte, at: index))
    }
  }

  @inline(never)
  private func startLineEndProblem(_ bytes: Bytes, at index: Int, line: Int, max: Int) -> ParseStep {
    if index >= bytes.count { return unfinishedLine(bytes, from: line, max: max) }
    switch bytes[index] {
    case UInt8(ascii: "\r"):
      if index &+ 1 >= bytes.count { return unfinishedLine(bytes, from: line, max: max) }
      return .failed(H1Error(.bareCR, at: index))
    case UInt8(ascii: "\n"): return .failed(H1Error(.bareLF, at: index))
    case 0x30...0x39: return .failed(H1Error(.badVersion, at: index))
    default: return .failed(H1Error(.badRequestLine, at: index))
    }
  }
}

/// `.needMore`, unless the line is too long already.
@inline(never)
func unfinishedLine(_ bytes: Bytes, from line: Int, max: Int) -> ParseStep {
  // One more for the CR.
  bytes.count &- line > max &+ 1 ? .failed(H1Error(.lineTooLong, at: line &+ max)) : .needMore
}

/// Names what is wrong with a version that is not one of ours.
@inline(never)
func versionProblem(_ bytes: Bytes, at start: Int) -> ParseStep {
  let pattern: StaticString = "HTTP/d.d"
  for offset in 0..<8 {
    let index = start &+ offset
    if index >= bytes.count { return .needMore }
    let expected = pattern.utf8Start[offset]
    let byte = bytes[index]
    if expected == UInt8(ascii: "d") ? byte &- 0x30 > 9 : byte != expected {
      return .failed(H1Error(.badVersion, at: index))
    }
  }
  return .failed(H1Error(.unsupportedVersion, at: start))
}

extension Bytes {
  /// Whether the bytes from `index` on are `text`, of at most eight bytes.
  @inline(__always)
  func matches(_ index: Int, _ text: StaticString) -> Bool {
    Word.prefix(word(at: index), text.utf8CodeUnitCount) == Word.literal(text)
  }

  /// Whether a parse could end otherwise than in `.needMore`, when it did so for the first `seen` bytes: a line has
  /// ended since, or a limit was passed.
  @inline(never)
  func mayHaveNews(after seen: Int, limits: H1Limits) -> Bool {
    if count >= limits.headBytesMax || seen >= count { return true }
    // CR, and the empty lines that may come before.
    let lineLimit = limits.lineBytesMax &+ 1 &+ 2 &* RequestHead.emptyLinesMax
    if seen <= lineLimit, count > lineLimit { return true }
    var index = seen
    while index < count {
      let mask = Word.equal(word(at: index), to: UInt8(ascii: "\n"))
      if mask != 0 { return true }
      index &+= 8
    }
    return false
  }
}
