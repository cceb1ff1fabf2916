import HTTP
import MeshBase
import Net

/// How much one connection of HTTP/2 reads and writes before others have their turn.
enum HTTP2Turn {
  static let reads = 8
  /// Bytes of a caller's first read, and of the next after one that cost much. While reads are not full, each takes a turn
  /// of the loop, so that an abusive connection does not do at once all it may do before it is ended.
  static let carefulReadBytes = 8_192
  /// What the frames of one read may cost: see `HTTP2Session.charged`.
  static let chargesMax = 16
  /// Bytes taken from the session for one write.
  static let writeBytes = 65_536
}

extension StreamChannel {
  /// Writes what the session has to say, as far as the kernel takes it; `sent` hears of each write's bytes.
  @inline(__always)
  final func writeFrames(of session: HTTP2Session, sent: (Int) -> Void) {
    let out = worker.frameScratch
    session.now = loop.now
    while isOpen && !isBlocked {
      let hasMore = session.takeOutput(into: out, upTo: HTTP2Turn.writeBytes)
      if out.isEmpty { break }
      sent(out.count)
      write(out.readable)
      out.removeAll()
      if !hasMore { break }
    }
  }
}

extension HTTP2Stream {
  /// The peer's window or connection does not keep up: beyond so much that waits for it, the other side is not read.
  var isBlocked: Bool { queuedBytes > 65_536 }
}
