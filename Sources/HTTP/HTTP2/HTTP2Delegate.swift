import MeshBase

/// The owner of a session: gets what the peer sends, in order, during `receive`, and news of its own output.
///
/// All bytes handed over are valid during the call only. Within a call every method of the session is allowed except
/// `receive`, `takeOutput` and `abandon`; the session itself must stay alive.
///
/// A class to derive from and no protocol: a link to a class can be followed without counting references, which costs
/// more than all the rest of such a call. What is of no concern to one end, or to a test, has a body here that does
/// nothing.
open class HTTP2Delegate {
  public init() {}

  /// An empty buffer for bytes that wait to be framed.
  open func takeBuffer() -> ByteBuffer { ByteBuffer() }
  /// Takes back such a buffer, emptied.
  open func giveBack(_ buffer: consuming ByteBuffer) {}

  /// Server: a stream object for a request whose head follows at once; alive until `closed` at least.
  open func newStream() -> Unretained<HTTP2Stream> { preconditionFailure("a client is not asked for streams") }
  /// Server: a whole request head, as HTTP/1.1 text for `RequestHead.parse`. With `endStream` there is no body and
  /// `ended` is not called.
  open func requestHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {}
  /// The head is longer than `maxHeaderListBytes`: answer 431 and reset. `requestHead` does not follow.
  open func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) {}

  /// Client: a 1xx head, as HTTP/1.1 text for `ResponseHead.parse`.
  open func informational(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer) {}
  /// Client: the head of the response, likewise. With `endStream` there is no body and `ended` is not called.
  open func responseHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {}

  /// A piece of the body. It counts against the stream's window until `consumed` says otherwise.
  open func data(_ stream: HTTP2Stream, _ bytes: UnsafeRawBufferPointer) {}
  /// Field lines after the body, each with its CRLF; `ended` follows.
  open func trailers(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer) {}
  /// The peer has sent everything.
  open func ended(_ stream: HTTP2Stream) {}
  /// The stream is gone: exactly once for each, and the last word about it. `noError` where both sides ended it or the
  /// server needs no more of the request; else the code of the reset, sent or received.
  open func closed(_ stream: HTTP2Stream, code: HTTP2ErrorCode) {}
  /// What waits on the stream has fallen to `lowWaterBytes` or below.
  open func outputDrained(_ stream: HTTP2Stream) {}

  /// The peer takes no streams above `lastStreamID`; those are `closed` with `refusedStream` right after this.
  open func goaway(lastStreamID: Int32, code: HTTP2ErrorCode, debug: UnsafeRawBufferPointer) {}
  /// The peer's settings have come or changed: see `peerMaxConcurrentStreams` and `peerTakesExtendedConnect`.
  open func settingsReceived() {}
  /// The answer to `ping`.
  open func pingAcked(_ payload: UInt64) {}
}
