/// Takes a chunked body apart, RFC 9112 §7.1: pulled piece by piece from whatever input is at hand.
///
/// Holds its place between calls and no input. Extensions are checked and dropped; trailers are checked and collected.
/// A value of a few words until trailers arrive.
public struct ChunkedDecoder {
  public enum Event: Equatable, Sendable {
    /// Indices in the input of content; at most the rest of one chunk.
    case data(Range<Int>)
    /// All input is consumed.
    case needMore
    /// The body and its trailers have ended; what follows `consumedTo` belongs to the next message.
    case end
    /// The body is malformed: its length is in doubt, so the connection must end.
    case failed(H1Error)
  }

  public struct Step: Equatable, Sendable {
    public var event: Event
    /// Index of the first byte that is not consumed yet.
    public var consumedTo: Int

    @inlinable
    public init(_ event: Event, _ consumedTo: Int) {
      self.event = event
      self.consumedTo = consumedTo
    }
  }

  enum State: UInt8 {
    case sizeStart, size, beforeSemicolon, nameStart, name, afterName, valueStart, value, quoted, escaped, afterQuoted
    case sizeLF, data, dataCR, dataLF, trailerStart, trailerLine, trailerLF, finished, broken
  }

  private(set) var state = State.sizeStart
  /// Bytes of the present size line.
  private var lineBytes: Int32 = 0
  /// Bytes of size lines beyond what honest chunking needs; see `excessMax`.
  private var excess: Int32 = 0
  private let lineBytesMax: Int32
  private let trailerBytesMax: Int32
  private let trailerCountMax: Int32
  /// Of the present chunk, as far as its size line was read; later, data still to come.
  private var remaining: UInt64 = 0
  private var collected: ByteBuffer?
  private var error: H1Error?

  /// Size-line bytes that may pile up over a body beyond 16 per chunk plus twice its data. Beyond: refused, because
  /// one-byte chunks with long extensions make us read hundreds of bytes for each that we pass on.
  static let excessMax: Int32 = 16_384

  public init(limits: H1Limits) {
    lineBytesMax = Int32(clamping: limits.chunkLineBytesMax)
    trailerBytesMax = Int32(clamping: limits.trailerBytesMax)
    trailerCountMax = Int32(clamping: limits.fieldCountMax)
  }

  /// Whether the body has ended.
  public var isFinished: Bool { state == .finished }

  /// After `.end`: the trailer lines that may be passed on, each with its CRLF; nil when there are none.
  public var trailers: ByteBuffer? {
    guard state == .finished, let collected, !collected.isEmpty else { return nil }
    return collected
  }

  /// Goes on with `input` from index `start`. Call again from `consumedTo` until the event is not `.data`.
  public mutating func next(_ input: Span<UInt8>, from start: Int) -> Step {
    input.withUnsafeBytes { next($0, from: start) }
  }

  public mutating func next(_ input: UnsafeRawBufferPointer, from start: Int) -> Step {
    let bytes = Bytes(input)
    var index = start
    while index < bytes.count {
      if state == .data {
        let length = Int(min(remaining, UInt64(bytes.count &- index)))
        remaining -= UInt64(length)
        if remaining == 0 { state = .dataCR }
        return Step(.data(index..<(index &+ length)), index &+ length)
      }
      if state == .finished { return Step(.end, index) }
      if let error = advance(bytes[index], at: index) {
        state = .broken
        self.error = error
        return Step(.failed(error), index)
      }
      index &+= 1
    }
    switch state {
    case .finished: return Step(.end, index)
    case .broken: return Step(.failed(error ?? H1Error(.badChunkSize, at: start)), start)
    default: return Step(.needMore, index)
    }
  }

  /// Takes one byte that is not data.
  @inline(__always)
  private mutating func advance(_ byte: UInt8, at index: Int) -> H1Error? {
    switch state {
    case .sizeStart, .size: return advanceSize(byte, at: index)
    case .sizeLF:
      if byte != UInt8(ascii: "\n") { return H1Error(.badChunkLineEnd, at: index) }
      return endSizeLine(at: index)
    case .dataCR:
      if byte != UInt8(ascii: "\r") { return H1Error(.junkAfterChunk, at: index) }
      state = .dataLF
      return nil
    case .dataLF:
      if byte != UInt8(ascii: "\n") { return H1Error(.junkAfterChunk, at: index) }
      state = .sizeStart
      return nil
    case .trailerStart, .trailerLine, .trailerLF: return advanceTrailer(byte, at: index)
    case .data, .finished: preconditionFailure("not a state that takes single bytes")
    case .broken: return error
    default: return advanceExtension(byte, at: index)
    }
  }

  @inline(__always)
  private mutating func advanceSize(_ byte: UInt8, at index: Int) -> H1Error? {
    lineBytes &+= 1
    if lineBytes > lineBytesMax { return lineTooLong(byte, at: index) }
    let digit: UInt8
    switch byte {
    case 0x30...0x39: digit = byte &- 0x30
    case 0x41...0x46: digit = byte &- 0x37
    case 0x61...0x66: digit = byte &- 0x57
    default:
      if state == .sizeStart { return H1Error(.badChunkSize, at: index) }
      switch byte {
      case UInt8(ascii: "\r"): state = .sizeLF
      case UInt8(ascii: ";"): state = .nameStart
      case 0x20, 0x09: state = .beforeSemicolon
      case UInt8(ascii: "\n"): return H1Error(.badChunkLineEnd, at: index)
      default: return H1Error(.badChunkSize, at: index)
      }
      return nil
    }
    if state == .sizeStart {
      state = .size
      remaining = UInt64(digit)
      return nil
    }
    // Stays below 2^63: peers keep sizes in signed words.
    if remaining > UInt64(Int64.max) >> 4 { return H1Error(.chunkSizeTooLarge, at: index) }
    remaining = remaining << 4 | UInt64(digit)
    return nil
  }

  /// The CR that ends a line of full length is not part of it.
  private mutating func lineTooLong(_ byte: UInt8, at index: Int) -> H1Error? {
    switch state {
    case .size, .name, .value, .afterQuoted:
      if byte != UInt8(ascii: "\r") { break }
      state = .sizeLF
      return nil
    default: break
    }
    return H1Error(.chunkLineTooLong, at: index)
  }

  @inline(__always)
  private mutating func endSizeLine(at index: Int) -> H1Error? {
    let allowance = 16 &+ 2 &* Int64(min(remaining, 1 << 30))
    excess = Int32(clamping: max(0, Int64(excess) &+ Int64(lineBytes) &- allowance))
    if excess > ChunkedDecoder.excessMax { return H1Error(.chunkLineTooLong, at: index) }
    lineBytes = 0
    state = remaining == 0 ? .trailerStart : .data
    return nil
  }

  /// `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`, RFC 9112 §7.1.1.
  @inline(never)
  private mutating func advanceExtension(_ byte: UInt8, at index: Int) -> H1Error? {
    lineBytes &+= 1
    if lineBytes > lineBytesMax { return lineTooLong(byte, at: index) }
    let kind = ByteClass.of(byte)
    let isSpace = kind.contains(.whitespace)
    switch state {
    case .beforeSemicolon:
      if isSpace { return nil }
      if byte == UInt8(ascii: ";") {
        state = .nameStart
        return nil
      }
    case .nameStart:
      if isSpace { return nil }
      if kind.contains(.token) {
        state = .name
        return nil
      }
    case .name:
      if kind.contains(.token) { return nil }
      if byte == UInt8(ascii: "=") {
        state = .valueStart
        return nil
      }
      return endExtension(byte, at: index, spaceLeadsTo: .afterName)
    case .afterName:
      if isSpace { return nil }
      if byte == UInt8(ascii: "=") || byte == UInt8(ascii: ";") {
        state = byte == UInt8(ascii: "=") ? .valueStart : .nameStart
        return nil
      }
    case .valueStart:
      if isSpace { return nil }
      if byte == UInt8(ascii: "\"") || kind.contains(.token) {
        state = byte == UInt8(ascii: "\"") ? .quoted : .value
        return nil
      }
    case .value:
      if kind.contains(.token) { return nil }
      return endExtension(byte, at: index, spaceLeadsTo: .beforeSemicolon)
    case .quoted:
      if kind.contains(.fieldValue) {
        if byte == UInt8(ascii: "\"") { state = .afterQuoted }
        if byte == UInt8(ascii: "\\") { state = .escaped }
        return nil
      }
    case .escaped:
      if kind.contains(.fieldValue) {
        state = .quoted
        return nil
      }
    case .afterQuoted: return endExtension(byte, at: index, spaceLeadsTo: .beforeSemicolon)
    default: preconditionFailure("not an extension state")
    }
    return H1Error(byte == UInt8(ascii: "\n") ? .badChunkLineEnd : .badChunkExtension, at: index)
  }

  private mutating func endExtension(_ byte: UInt8, at index: Int, spaceLeadsTo next: State) -> H1Error? {
    switch byte {
    case UInt8(ascii: ";"): state = .nameStart
    case UInt8(ascii: "\r"): state = .sizeLF
    case 0x20, 0x09: state = next
    case UInt8(ascii: "\n"): return H1Error(.badChunkLineEnd, at: index)
    default: return H1Error(.badChunkExtension, at: index)
    }
    return nil
  }
}

// MARK: - Trailers

extension ChunkedDecoder {
  /// Never passed on from a trailer section: what frames, routes, authenticates or describes the message must be known
  /// before its content (RFC 9110 §6.5.1). Such lines are checked like the others and dropped, which §7.1.2 of RFC 9112
  /// allows with any trailer.
  public static var forbiddenTrailers: KnownHeaderSet {
    [
      .hopByHop, .l5d, .host, .contentLength, .expect, .maxForwards, .via, .location, .retryAfter, .refresh, .date,
      .contentType, .contentEncoding, .cookie, .setCookie, .authorization, .cacheControl, .forwarded, .xForwardedFor,
      .xForwardedHost, .xForwardedProto, .xForwardedClientCert,
    ]
  }

  /// Collects lines until an empty one, then reads them as fields.
  @inline(never)
  private mutating func advanceTrailer(_ byte: UInt8, at index: Int) -> H1Error? {
    switch state {
    case .trailerStart where byte == UInt8(ascii: "\r"):
      state = .trailerLF
      return nil
    case .trailerLF:
      if byte != UInt8(ascii: "\n") { return H1Error(.bareCR, at: index) }
      return readTrailers(at: index)
    case .trailerStart where byte == UInt8(ascii: "\n"): return H1Error(.bareLF, at: index)
    default: break
    }
    state = byte == UInt8(ascii: "\n") ? .trailerStart : .trailerLine
    let buffer = collected ?? ByteBuffer(minimumCapacity: 256)
    collected = buffer
    if buffer.count >= Int(trailerBytesMax) { return H1Error(.trailersTooLong, at: index) }
    buffer.append(byte)
    return nil
  }

  private mutating func readTrailers(at index: Int) -> H1Error? {
    state = .finished
    guard let buffer = collected else { return nil }
    buffer.append("\r\n")
    var block = FieldBlock()
    switch block.parse(Bytes(buffer.readable), from: 0, fieldCountMax: Int(trailerCountMax)) {
    case .done: break
    // The place within the section is not a place within this input.
    case .failed(let error): return H1Error(error.rule, at: index)
    case .needMore: return H1Error(.missingColon, at: index)
    }
    let kept = ByteBuffer(minimumCapacity: buffer.count)
    block.appendForwardable(buffer.readable, skipping: ChunkedDecoder.forbiddenTrailers, to: kept)
    collected = kept
    return nil
  }
}
