import HTTP
import MeshBase

/// The HTTP/2 codec: exchanges between a client and a server session in memory, both ends' work together.
enum HTTP2Benchmarks {
  /// Exchanges under way together, as on a connection that many callers share.
  static let batch = 32

  static func run() -> [Figure] {
    [
      exchanges("http2.exchange", HTTPBenchmarks.request(host: "service.example.org"), body: 128),
      exchanges("http2.exchange.short", short, body: 128), bulk(),
    ]
  }

  /// As load generators send it.
  private static let short = Array(
    "GET /items/42 HTTP/1.1\r\nHost: service.example.org\r\nUser-Agent: bench\r\n\r\n".utf8)

  /// Mean of `batch` exchanges: request head, response head, response body.
  private static func exchanges(_ name: String, _ request: [UInt8], body: Int) -> Figure {
    let pair = Pair(body: body)
    var figure = request.withUnsafeBytes { request in
      measure(name, count: 1_000, rounds: 10) { pair.exchange(request, count: batch) }
    }
    figure.nanoseconds /= Double(batch)
    figure.mallocs = figure.mallocs.map { $0 / Double(batch) }
    return figure
  }

  /// A mebibyte of response body through both sessions.
  private static func bulk() -> Figure {
    let pair = Pair(body: 1 << 20)
    let request = HTTPBenchmarks.request(host: "service.example.org")
    return request.withUnsafeBytes { request in
      measure("http2.mebibyte", count: 50, rounds: 10) { pair.exchange(request, count: 1) }
    }
  }
}

/// A client and a server session, joined by two buffers.
private final class Pair {
  private let client: End
  private let server: End
  private let wire = ByteBuffer(minimumCapacity: 1 << 17)
  private var now = MonotonicInstant(nanoseconds: 0)

  init(body: Int) {
    client = End(.client, body: body)
    server = End(.server, body: body)
    carry()
  }

  func exchange(_ head: UnsafeRawBufferPointer, count: Int) {
    for _ in 0..<count { client.request(head) }
    carry()
    precondition(client.done == count, "an exchange did not end")
    client.done = 0
  }

  private func carry() {
    while client.session.wantsWrite || server.session.wantsWrite {
      now = now.advanced(byNanoseconds: 1_000_000)
      move(from: client, to: server)
      move(from: server, to: client)
    }
  }

  private func move(from: End, to: End) {
    while from.session.wantsWrite {
      _ = from.session.takeOutput(into: wire, upTo: 65_536)
      if wire.isEmpty { return }
      let failure = to.session.receive(wire.readable, now: now)
      precondition(failure == nil, "\(failure?.explanation ?? "")")
      wire.removeAll()
    }
  }
}

private final class End: HTTP2Delegate {
  private(set) var session: HTTP2Session!
  private var streams = ObjectPool<HTTP2Stream>()
  private var buffers: [ByteBuffer] = []
  private let body: [UInt8]
  var done = 0

  init(_ role: HTTP2Role, body: Int) {
    self.body = [UInt8](repeating: 0x61, count: role == .server ? body : 0)
    super.init()
    session = HTTP2Session(role: role, delegate: self)
  }

  deinit {
    session.abandon()
    streams.trim(to: 0)
  }

  func request(_ head: UnsafeRawBufferPointer) {
    let stream = newStream()
    stream {
      let refusal = session.submitRequest($0, head: head, isHTTPS: false, end: true)
      precondition(refusal == nil, "a request was refused")
    }
  }

  override func takeBuffer() -> ByteBuffer { buffers.popLast() ?? ByteBuffer(minimumCapacity: 4_096) }
  override func giveBack(_ buffer: consuming ByteBuffer) { buffers.append(buffer) }
  override func newStream() -> Unretained<HTTP2Stream> { streams.take { HTTP2Stream() } }

  override func requestHead(_ stream: HTTP2Stream, text: UnsafeRawBufferPointer, endStream: Bool) {
    session.headUsed(stream)
    HTTPBenchmarks.response.withUnsafeBytes { _ = session.submitResponse(stream, head: $0, end: body.isEmpty) }
    if body.isEmpty { return }
    body.withUnsafeBytes { session.send(stream, $0) }
    session.end(stream)
  }

  override func data(_ stream: HTTP2Stream, _ bytes: UnsafeRawBufferPointer) { session.consumed(stream, bytes.count) }

  override func closed(_ stream: HTTP2Stream, code: HTTP2ErrorCode) {
    done += 1
    streams.giveBack(stream)
  }
}
