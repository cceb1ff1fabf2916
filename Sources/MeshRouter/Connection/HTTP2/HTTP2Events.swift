import HTTP
import MeshBase

// A connection is a channel of the event loop already, so another object is what its session tells its news to. Each
// only passes them on.

/// Both ends frame what waits in buffers of their worker.
class HTTP2Events: HTTP2Delegate {
  final let worker: Worker

  init(_ worker: Worker) { self.worker = worker }

  final override func takeBuffer() -> ByteBuffer { worker.takeBuffer() }
  final override func giveBack(_ buffer: consuming ByteBuffer) { worker.giveBack(buffer) }
}

/// Tells a caller's connection what its session has to say.
final class HTTP2ServerEvents: HTTP2Events {
  private let connection: Unretained<HTTP2ServerConnection>

  init(_ connection: HTTP2ServerConnection) {
    self.connection = Unretained(connection)
    super.init(connection.worker)
  }

  override func newStream() -> Unretained<HTTP2Stream> {
    let stream = worker.takeServerStream()
    stream { $0.connection = connection }
    return stream.unsafeUpcast()
  }

  override func requestHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {
    connection { $0.requestHead(own(stream), text: text, endStream: endStream) }
  }

  override func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) {
    connection { $0.headersTooLarge(own(stream), endStream: endStream) }
  }

  override func data(_ stream: HTTP2Stream, _ bytes: UnsafeRawBufferPointer) {
    connection { $0.data(own(stream), bytes) }
  }

  override func trailers(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer) {
    connection { $0.trailers(own(stream), text: text) }
  }

  override func ended(_ stream: HTTP2Stream) { connection { $0.ended(own(stream)) } }

  override func closed(_ stream: HTTP2Stream, code: HTTP2ErrorCode) {
    connection { $0.closed(own(stream), code: code) }
  }

  override func outputDrained(_ stream: HTTP2Stream) { connection { $0.outputDrained(own(stream)) } }

  @inline(__always)
  private func own(_ stream: HTTP2Stream) -> ServerStream { unsafeDowncast(stream, to: ServerStream.self) }
}

/// Tells a connection to an endpoint what its session has to say.
final class HTTP2ClientEvents: HTTP2Events {
  private let connection: Unretained<HTTP2ClientConnection>

  init(_ connection: HTTP2ClientConnection) {
    self.connection = Unretained(connection)
    super.init(connection.worker)
  }

  override func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) {
    connection { $0.headersTooLarge(own(stream)) }
  }

  override func informational(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer) {
    connection { $0.informational(own(stream), text: text) }
  }

  override func responseHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {
    connection { $0.responseHead(own(stream), text: text, endStream: endStream) }
  }

  override func data(_ stream: HTTP2Stream, _ bytes: UnsafeRawBufferPointer) {
    connection { $0.data(own(stream), bytes) }
  }

  override func trailers(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer) {
    own(stream).exchange { $0.responseTrailers(text) }
  }

  override func ended(_ stream: HTTP2Stream) { connection { $0.ended(own(stream)) } }

  override func closed(_ stream: HTTP2Stream, code: HTTP2ErrorCode) {
    connection { $0.closed(own(stream), code: code) }
  }

  override func outputDrained(_ stream: HTTP2Stream) { own(stream).exchange { $0.requestOutputDrained() } }

  override func goaway(lastStreamID: Int32, code: HTTP2ErrorCode, debug: UnsafeRawBufferPointer) {
    connection { $0.retire() }
  }

  override func settingsReceived() { connection { $0.pool.slotsChanged() } }

  @inline(__always)
  private func own(_ stream: HTTP2Stream) -> ClientStream { unsafeDowncast(stream, to: ClientStream.self) }
}
