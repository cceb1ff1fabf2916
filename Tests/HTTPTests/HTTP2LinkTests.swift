import HTTP
import MeshBase
import Testing

/// Two sessions over a link with a delay and a rate, on a clock of their own.
@Suite("HTTP/2 over a long link")
struct HTTP2LinkTests {
  /// One end which counts body bytes and takes them at once.
  private final class Endpoint: HTTP2Delegate {
    private(set) var session: HTTP2Session!
    var received = 0
    var hasEnded = false
    private var stream: HTTP2Stream?
    private let chunk = [UInt8](repeating: 7, count: 65_536)

    init(_ role: HTTP2Role) {
      super.init()
      session = HTTP2Session(role: role, delegate: self)
    }

    deinit { session.abandon() }

    func open() {
      let stream = HTTP2Stream()
      let head = bytes("POST / HTTP/1.1\r\nHost: web\r\n\r\n")
      let refusal = head.withUnsafeBytes { session.submitRequest(stream, head: $0, isHTTPS: false, end: false) }
      precondition(refusal == nil)
      self.stream = stream
    }

    /// Keeps the stream's queue filled; what it was given of `left`.
    func fill(_ left: Int) -> Int {
      guard let stream, left > 0, stream.queuedBytes < 4 << 20 else { return 0 }
      let count = min(left, chunk.count)
      chunk.withUnsafeBytes { session.send(stream, UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      if count == left { session.end(stream) }
      return count
    }

    override func newStream() -> Unretained<HTTP2Stream> {
      stream = HTTP2Stream()
      return Unretained(stream)
    }

    override func data(_ stream: HTTP2Stream, _ bytes: UnsafeRawBufferPointer) {
      received += bytes.count
      session.consumed(stream, bytes.count)
    }
    override func ended(_ stream: HTTP2Stream) { hasEnded = true }
  }

  /// Where reads are rare, what a window lets through comes all at once, and nothing is under way behind it.
  @Test(
    "100 MB over 20 ms fill a link of 1 Gbit/s but for the start, however rarely it is read", arguments: [1, 5, 10])
  func longLink(millisecondsBetweenReads: Int) {
    let total = 100 << 20
    let step = UInt64(millisecondsBetweenReads) * 1_000_000
    let bytesPerStep = 125_000 * millisecondsBetweenReads
    let delaySteps = 10 / millisecondsBetweenReads
    let client = Endpoint(.client)
    let server = Endpoint(.server)
    client.open()
    var up: [(due: Int, bytes: [UInt8])] = []
    var down: [(due: Int, bytes: [UInt8])] = []
    var left = total
    var now = 0
    let out = ByteBuffer()
    func pass(_ from: Endpoint, _ to: Endpoint, _ pipe: inout [(due: Int, bytes: [UInt8])]) {
      _ = from.session.takeOutput(into: out, upTo: bytesPerStep)
      if !out.isEmpty {
        pipe.append((now + delaySteps, Array(out.readable)))
        out.removeAll()
      }
      while let first = pipe.first, first.due <= now {
        pipe.removeFirst()
        let failure = first.bytes.withUnsafeBytes {
          to.session.receive($0, now: MonotonicInstant(nanoseconds: UInt64(now) * step))
        }
        precondition(failure == nil)
      }
    }
    while !server.hasEnded, now < 10_000 {
      while true {
        let count = client.fill(left)
        left -= count
        if count == 0 { break }
      }
      pass(client, server, &up)
      pass(server, client, &down)
      now += 1
    }
    #expect(server.received == total)
    let ideal = total / bytesPerStep + 2 * delaySteps
    #expect(now < ideal * 5 / 4, "\(now) steps, \(ideal) at best")
  }
}
