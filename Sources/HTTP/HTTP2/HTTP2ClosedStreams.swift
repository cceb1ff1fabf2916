/// The streams that closed last, and which of them by our reset: a peer may still be sending on those, and must not on
/// the others (RFC 9113 §5.1).
struct HTTP2ClosedStreams {
  enum Kind {
    /// Both sides ended it, or the peer reset it.
    case ended
    /// We reset it: what was under way may still come.
    case resetByUs
    /// Never opened, as far as streams are remembered.
    case neverOpened
    /// Perhaps forgotten.
    case unknown
  }

  /// Streams remembered.
  static let size = 64

  /// Negative where we reset the stream; 0 where there is none.
  private var ids = InlineArray<64, Int32>(repeating: 0)
  private var next = 0

  mutating func insert(_ id: Int32, resetByUs: Bool) {
    // A reset is sent, then its stream closes.
    if !resetByUs, ids[(next &- 1) & (HTTP2ClosedStreams.size - 1)] == -id { return }
    ids[next & (HTTP2ClosedStreams.size - 1)] = resetByUs ? -id : id
    next &+= 1
  }

  /// What became of `id`, of which libnghttp2 knows nothing any more.
  func kind(of id: Int32) -> Kind {
    for index in 0..<HTTP2ClosedStreams.size {
      if ids[index] == id { return .ended }
      if ids[index] == -id { return .resetByUs }
    }
    return next > HTTP2ClosedStreams.size ? .unknown : .neverOpened
  }
}
