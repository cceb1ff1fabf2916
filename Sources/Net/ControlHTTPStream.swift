import HTTP
import MeshBase

/// One connection of a `ControlHTTPClient`; carries one exchange at a time.
@ControlActor
final class ControlHTTPClientConnection {
  let socket: AsyncSocket
  let input = ByteBuffer()
  let target: ControlHTTPTarget
  let limits: H1Limits
  /// Whether anything of a response to the present request has arrived.
  private(set) var hasAnswered = false

  init(_ socket: AsyncSocket, target: ControlHTTPTarget, limits: H1Limits) {
    self.socket = socket
    self.target = target
    self.limits = limits
  }

  /// Sends the request and reads the head of the response, past interim ones.
  func exchange(
    _ request: [UInt8], method: String, client: ControlHTTPClient, waitMilliseconds: UInt64
  ) async throws(ControlHTTPError) -> ControlHTTPStream {
    hasAnswered = false
    setDeadline(waitMilliseconds)
    // A server may refuse without reading it all: what it answered is more use than that it did not listen.
    var sendError: ControlHTTPError?
    do throws(ControlHTTPError) { try await send(request) } catch { sendError = error }
    var head = ResponseHead()
    var resumeAt = 0
    let asked: Method = method == "HEAD" ? .head : method == "CONNECT" ? .connect : .get
    while true {
      if !input.isEmpty {
        switch head.parse(input.readable, requestMethod: asked, limits: limits, resumeAt: resumeAt) {
        case .complete:
          if head.isInformational && !head.isSwitchingProtocols {
            input.consume(head.length)
            resumeAt = 0
            continue
          }
          if sendError != nil { socket.shutdownWrite() }
          return ControlHTTPStream(self, head, client, mayKeep: sendError == nil)
        case .needMore: resumeAt = head.resumeAt
        case .failed(let error):
          socket.close()
          throw .malformed(target, error)
        }
      }
      do throws(ControlHTTPError) {
        guard try await receive() else { throw .closed(target, nil) }
      } catch {
        socket.close()
        throw sendError ?? error
      }
    }
  }

  private func send(_ bytes: [UInt8]) async throws(ControlHTTPError) {
    do { try await socket.write(bytes) } catch { throw failure(error) }
  }

  /// False at the end of the stream.
  func receive() async throws(ControlHTTPError) -> Bool {
    do {
      let bytes = try await socket.read()
      if bytes.isEmpty { return false }
      hasAnswered = true
      input.append(bytes.span)
      return true
    } catch {
      throw failure(error)
    }
  }

  func setDeadline(_ milliseconds: UInt64?) {
    socket.setDeadline(milliseconds.map { Clock.now.advanced(byMilliseconds: $0) })
  }

  private func failure(_ error: any Error) -> ControlHTTPError {
    guard let error = error as? SystemError else { return .closed(target, nil) }
    return error.isTimeout ? .timeout(target) : .closed(target, error)
  }
}

/// A response whose body is read as it comes. Leaving off before its end closes the connection.
@ControlActor
public final class ControlHTTPStream {
  public nonisolated let status: Int
  public nonisolated let headers: ControlHeaders
  /// How long `next` waits for the server; `nil` for ever, as for a watch.
  public var pieceMilliseconds: UInt64?

  private var connection: ControlHTTPClientConnection?
  private let client: ControlHTTPClient
  private var framing: BodyFraming
  private var decoder: ChunkedDecoder
  private let mayKeep: Bool

  init(
    _ connection: ControlHTTPClientConnection, _ head: borrowing ResponseHead, _ client: ControlHTTPClient,
    mayKeep: Bool
  ) {
    let bytes = connection.input.readable
    var headers = ControlHeaders()
    for field in head.fields {
      headers.add(
        String(decoding: bytes[field.name], as: UTF8.self), String(decoding: bytes[field.value], as: UTF8.self))
    }
    status = head.status
    self.headers = headers
    self.connection = connection
    self.client = client
    framing = head.framing
    decoder = ChunkedDecoder(limits: client.options.head)
    pieceMilliseconds = client.options.responseMilliseconds
    self.mayKeep = mayKeep && head.keepAlive
    connection.input.consume(head.length)
    if framing == .none || framing == .length(0) { finish() }
  }

  deinit {
    let connection = connection
    Task { @ControlActor in connection?.socket.close() }
  }

  /// The next piece of the body, never empty; `nil` at its end.
  public func next() async throws(ControlHTTPError) -> [UInt8]? {
    guard let connection else { return nil }
    let input = connection.input
    while true {
      switch framing {
      case .none:
        finish()
        return nil
      case .length(let left):
        if !input.isEmpty {
          let count = Int(min(left, UInt64(input.count)))
          framing = .length(left - UInt64(count))
          let piece = take(count, of: input)
          if left == UInt64(count) { finish() }
          return piece
        }
      case .untilClose:
        if !input.isEmpty { return take(input.count, of: input) }
      case .chunked:
        let step = decoder.next(input.readable, from: 0)
        switch step.event {
        case .data(let range):
          let piece = Array(input.readable[range])
          input.consume(step.consumedTo)
          return piece
        case .needMore: input.consume(step.consumedTo)
        case .end:
          input.consume(step.consumedTo)
          finish()
          return nil
        case .failed(let error):
          close()
          throw .malformed(connection.target, error)
        }
      }
      connection.setDeadline(pieceMilliseconds)
      do throws(ControlHTTPError) {
        if try await connection.receive() { continue }
      } catch {
        close()
        throw error
      }
      close()
      if framing == .untilClose { return nil }
      throw .closed(connection.target, nil)
    }
  }

  private func take(_ count: Int, of input: ByteBuffer) -> [UInt8] {
    let piece = Array(input.readable[..<count])
    input.consume(count)
    return piece
  }

  /// Leaves off; wakes a `next` that waits.
  public func close() {
    connection?.socket.close()
    connection = nil
  }

  private func finish() {
    guard let connection else { return }
    self.connection = nil
    connection.setDeadline(nil)
    // Bytes behind the response belong to nothing that was asked.
    if mayKeep && connection.input.isEmpty { client.keep(connection) } else { connection.socket.close() }
  }
}
