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
}
