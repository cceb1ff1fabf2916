import HTTP

/// Finds the end of a message body in what arrives, for either direction.
enum BodyReader {
  /// Nothing more belongs to the message.
  case ended
  case length(UInt64)
  case chunked(ChunkedDecoder)
  /// Ends when the peer closes.
  case untilClose

  init(_ framing: BodyFraming, limits: H1Limits) {
    switch framing {
    case .none, .length(0): self = .ended
    case .length(let count): self = .length(count)
    case .chunked: self = .chunked(ChunkedDecoder(limits: limits))
    case .untilClose: self = .untilClose
    }
  }

  var hasEnded: Bool { if case .ended = self { true } else { false } }

  /// Whether a close by the peer at this point is the proper end of the message.
  var endsWithClose: Bool { if case .untilClose = self { true } else { false } }

  /// Goes past what there is of a body that nobody wants; the number of bytes used, nil if they are malformed.
  mutating func skip(_ bytes: UnsafeRawBufferPointer) -> Int? {
    switch self {
    case .ended: return 0
    case .untilClose: return bytes.count
    case .length(let left):
      let count = min(left, UInt64(bytes.count))
      self = left == count ? .ended : .length(left - count)
      return Int(count)
    case .chunked(var decoder):
      self = .ended
      var offset = 0
      while true {
        let step = decoder.next(bytes, from: offset)
        offset = step.consumedTo
        switch step.event {
        case .data: continue
        case .needMore:
          self = .chunked(decoder)
          return offset
        case .end: return offset
        case .failed: return nil
        }
      }
    }
  }
}

extension BodyFraming {
  /// The body's length where it is told ahead; a body that ends with the connection is as long as can be.
  var lengthMax: Int {
    switch self {
    case .none, .chunked: 0
    case .length(let count): Int(clamping: count)
    case .untilClose: .max
    }
  }
}
