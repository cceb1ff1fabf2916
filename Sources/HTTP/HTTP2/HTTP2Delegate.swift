/// The owner of a session: gets what the peer sends, in order, during `receive`, and news of its own output.
///
/// All bytes handed over are valid during the call only. Within a call every method of the session is allowed except
/// `receive`, `takeOutput` and `abandon`; the session itself must stay alive.
public protocol HTTP2Delegate: AnyObject {
  /// An empty buffer for bytes that wait to be framed.
  func takeBuffer() -> ByteBuffer
  /// Takes back such a buffer, emptied.
  func giveBack(_ buffer: ByteBuffer)

  /// Server: a stream object for a request whose head follows at once.
  func newStream() -> HTTP2Stream
  /// Server: a whole request head, as HTTP/1.1 text for `RequestHead.parse`. With `endStream` there is no body and
  /// `ended` is not called.
  func requestHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool)
  /// The head is longer than `maxHeaderListBytes`: answer 431 and reset. `requestHead` does not follow.
  func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool)

  /// Client: a 1xx head, as HTTP/1.1 text for `ResponseHead.parse`.
  func informational(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer)
  /// Client: the head of the response, likewise. With `endStream` there is no body and `ended` is not called.
  func responseHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool)

  /// A piece of the body. It counts against the stream's window until `consumed` says otherwise.
  func data(_ stream: HTTP2Stream, _ bytes: UnsafeRawBufferPointer)
  /// Field lines after the body, each with its CRLF; `ended` follows.
  func trailers(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer)
  /// The peer has sent everything.
  func ended(_ stream: HTTP2Stream)
  /// The stream is gone: exactly once for each, and the last word about it. `noError` where both sides ended it or the
  /// server needs no more of the request; else the code of the reset, sent or received.
  func closed(_ stream: HTTP2Stream, code: HTTP2ErrorCode)
  /// What waits on the stream has fallen to `lowWaterBytes` or below.
  func outputDrained(_ stream: HTTP2Stream)

  /// The peer takes no streams above `lastStreamID`; those are `closed` with `refusedStream` right after this.
  func goaway(lastStreamID: Int32, code: HTTP2ErrorCode, debug: UnsafeRawBufferPointer)
  /// The peer's settings have come or changed: see `peerMaxConcurrentStreams` and `peerTakesExtendedConnect`.
  func settingsReceived()
  /// The answer to `ping`.
  func pingAcked(_ payload: UInt64)
}

extension HTTP2Delegate {
  public func newStream() -> HTTP2Stream { preconditionFailure("a client is not asked for streams") }
  public func requestHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {}
  public func informational(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer) {}
  public func responseHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {}
  public func goaway(lastStreamID: Int32, code: HTTP2ErrorCode, debug: UnsafeRawBufferPointer) {}
  public func settingsReceived() {}
  public func pingAcked(_ payload: UInt64) {}
}
