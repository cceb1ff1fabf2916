extension ResponseHead {
  /// Reads the head of a response to a request with `requestMethod` from the start of `bytes`.
  ///
  /// As `RequestHead.parse`: nothing is remembered between calls, `resumeAt` spares work on slow senders.
  public mutating func parse(
    _ bytes: Span<UInt8>, requestMethod: Method, limits: H1Limits, resumeAt: Int = 0
  ) -> H1ParseResult {
    bytes.withUnsafeBytes { parse($0, requestMethod: requestMethod, limits: limits, resumeAt: resumeAt) }
  }

  public mutating func parse(
    _ bytes: UnsafeRawBufferPointer, requestMethod: Method, limits: H1Limits, resumeAt: Int = 0
  ) -> H1ParseResult {
    let window = Bytes(bytes, atMost: limits.headBytesMax)
    if resumeAt > 0, !window.mayHaveNews(after: resumeAt, limits: limits) {
      self.resumeAt = bytes.count
      return .needMore
    }
    switch parseHead(window, requestMethod, limits: limits) {
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
  private mutating func parseHead(_ bytes: Bytes, _ requestMethod: Method, limits: H1Limits) -> ParseStep {
    let fieldsStart: Int
    switch parseStatusLine(bytes, lineBytesMax: limits.lineBytesMax) {
    case .done(let end): fieldsStart = end
    case let step: return step
    }
    let end: Int
    switch block.parse(bytes, from: fieldsStart, fieldCountMax: limits.fieldCountMax) {
    case .done(let headEnd): end = headEnd
    case let step: return step
    }
    if let error = conclude(bytes, requestMethod, limits: limits) { return .failed(error) }
    return .done(end)
  }

  @inline(__always)
  private mutating func parseStatusLine(_ bytes: Bytes, lineBytesMax: Int) -> ParseStep {
    let version = bytes.word(at: 0)
    if version == Word.literal("HTTP/1.1") {
      minorVersion = 1
    } else if version == Word.literal("HTTP/1.0") {
      minorVersion = 0
    } else {
      return versionProblem(bytes, at: 0)
    }
    // SP, three digits, then SP or the end of the line.
    let rest = bytes.word(at: 8)
    if bytes.count < 13 { return unfinishedStatus(bytes) }
    let hundreds = UInt8(truncatingIfNeeded: rest &>> 8) &- 0x30
    let tens = UInt8(truncatingIfNeeded: rest &>> 16) &- 0x30
    let ones = UInt8(truncatingIfNeeded: rest &>> 24) &- 0x30
    if UInt8(truncatingIfNeeded: rest) != 0x20 || hundreds > 9 || tens > 9 || ones > 9 || hundreds == 0 {
      return unfinishedStatus(bytes)
    }
    status = Int(hundreds) &* 100 &+ Int(tens) &* 10 &+ Int(ones)

    var end = 12
    // RFC 9112 §4 wants the space even without a phrase; many servers leave it out and nothing hangs on it.
    if bytes[12] == 0x20 { end = 13 } else if bytes[12] != UInt8(ascii: "\r") { return statusProblem(bytes, at: 12) }
    let phrase = end
    while true {
      let mask = Word.controls(bytes.word(at: end))
      if mask == 0 {
        end &+= 8
        continue
      }
      end &+= Word.first(mask)
      if end >= bytes.count { return unfinishedLine(bytes, from: 0, max: lineBytesMax) }
      if bytes[end] != 0x09 { break }
      end &+= 1
    }
    if UInt16(truncatingIfNeeded: bytes.word(at: end)) != 0x0a0d {
      switch lineEndProblem(bytes, at: end) {
      case .needMore: return unfinishedLine(bytes, from: 0, max: lineBytesMax)
      case let step: return step
      }
    }
    if end > lineBytesMax { return .failed(H1Error(.lineTooLong, at: lineBytesMax)) }
    reason = ByteRange(from: phrase, to: end)
    return .done(end &+ 2)
  }

  /// Finds the fault in a status line of which no more than `HTTP/1.x` is known to be right.
  @inline(never)
  private func unfinishedStatus(_ bytes: Bytes) -> ParseStep {
    for index in 8..<min(12, bytes.count) {
      let byte = bytes[index]
      if index == 8 {
        if byte == 0x20 { continue }
        return byte &- 0x30 <= 9 ? .failed(H1Error(.badVersion, at: index)) : statusProblem(bytes, at: index)
      }
      if byte &- 0x30 > 9 || (index == 9 && byte == 0x30) { return .failed(H1Error(.badStatusCode, at: index)) }
    }
    return .needMore
  }

  @inline(never)
  private func statusProblem(_ bytes: Bytes, at index: Int) -> ParseStep {
    switch bytes[index] {
    case 0x30...0x39: return .failed(H1Error(.badStatusCode, at: index))
    case UInt8(ascii: "\n"): return .failed(H1Error(.bareLF, at: index))
    default: return .failed(H1Error(.badStatusLine, at: index))
    }
  }

  @inline(__always)
  private mutating func conclude(_ bytes: Bytes, _ requestMethod: Method, limits: H1Limits) -> H1Error? {
    let declared = block.declaredFraming(bytes, minorVersion: minorVersion)
    if case .failed(let error) = declared { return error }
    if let error = block.readConnection(bytes, optionCountMax: limits.connectionOptionCountMax) { return error }
    keepAlive = !block.connectionClose && (minorVersion >= 1 || block.connectionKeepAlive)
    block.countVia(bytes)
    declaredLength = nil
    if case .length(let length) = declared { declaredLength = length }

    // RFC 9112 §6.3, rules 1 and 2.
    if status < 200 || status == 204 {
      framing = .none
      // Neither field belongs here, so the server may well send a body: what follows is not to be trusted.
      if case .nothing = declared {} else if declaredLength != 0 { keepAlive = false }
    } else if status == 304 || requestMethod == .head || (requestMethod == .connect && status < 300) {
      framing = .none
    } else {
      switch declared {
      case .length(let length): framing = .length(length)
      case .chunked: framing = .chunked
      default:
        framing = .untilClose
        keepAlive = false
      }
    }
    return nil
  }
}
