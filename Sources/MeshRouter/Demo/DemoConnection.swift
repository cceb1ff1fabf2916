import HTTP
import MeshBase
import Net

/// One connection to a demo service: answers requests one after the other.
///
/// GET says hello, `/headers` shows the request as it arrived, a request with a body gets it back.
final class DemoConnection: Channel {
  private enum State {
    case head
    case body(remaining: UInt64)
    case chunks(ChunkedDecoder)
    /// The answer is due when the timer fires.
    case waiting
    case closed
  }

  private let instance: DemoInstance
  private let input = ByteBuffer()
  private let output = ByteBuffer()
  private let body = ByteBuffer()
  private var head = RequestHead()
  /// The head's bytes as text, for `/headers`.
  private var headText = ""
  private var path = ""
  private var method = Method.get
  private var keepAlive = true
  private var state = State.head
  private var closesWhenSent = false
  private var random: SeededRandom

  /// More of a request's body than this is read and dropped.
  private static let echoedMax = 65_536
  /// Unread input at which reading pauses while an answer is due.
  private static let inputMax = 262_144
  private static let limits = H1Limits()

  init(loop: EventLoop, descriptor: consuming Descriptor, instance: DemoInstance) {
    self.instance = instance
    random = SeededRandom(seed: Clock.now.nanoseconds)
    super.init(loop: loop, descriptor: descriptor)
  }

  override func ready(_ events: ReadyEvents) { pump() }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) {
    guard case .waiting = state else { return }
    answer()
    pump()
  }

  private func pump() {
    while isOpen {
      process()
      send()
      guard isOpen, input.count < Self.inputMax else { return }
      let result = Socket.receive(
        descriptor, into: UnsafeMutableRawBufferPointer(rebasing: input.writable(minimum: 16_384)[...]))
      if result > 0 {
        input.didWrite(result)
      } else if !Socket.wouldBlock(result) {
        closeChannel()
      } else {
        return
      }
    }
  }

  private func process() {
    while true {
      switch state {
      case .head:
        guard !input.isEmpty, readHead() else { return }
      case .body(let remaining):
        if remaining == 0 {
          finishRequest()
        } else {
          let count = Int(min(remaining, UInt64(input.count)))
          guard count > 0 else { return }
          keep(UnsafeRawBufferPointer(rebasing: input.readable[..<count]))
          input.consume(count)
          state = .body(remaining: remaining - UInt64(count))
        }
      case .chunks(var decoder):
        let step = input.withSpan { decoder.next($0, from: 0) }
        if case .data(let range) = step.event { keep(UnsafeRawBufferPointer(rebasing: input.readable[range])) }
        input.consume(step.consumedTo)
        state = .chunks(decoder)
        switch step.event {
        case .data: break
        case .needMore: return
        case .end: finishRequest()
        case .failed: refuse()
        }
      case .waiting, .closed: return
      }
    }
  }

  /// False if more bytes are needed first.
  private func readHead() -> Bool {
    switch head.parse(input.readable, limits: Self.limits) {
    case .needMore: return false
    case .failed:
      refuse()
      return true
    case .complete: break
    }
    let bytes = input.readable
    headText = String(decoding: bytes[..<head.length], as: UTF8.self)
    path = String(decoding: bytes[head.path(in: bytes)], as: UTF8.self)
    method = head.method
    keepAlive = head.keepAlive
    body.removeAll()
    if head.expectsContinue { output.append("HTTP/1.1 100 Continue\r\n\r\n") }
    switch head.framing {
    case .length(let count): state = .body(remaining: count)
    case .chunked: state = .chunks(ChunkedDecoder(limits: Self.limits))
    case .none, .untilClose: state = .body(remaining: 0)
    }
    input.consume(head.length)
    return true
  }

  private func keep(_ bytes: UnsafeRawBufferPointer) {
    let room = Self.echoedMax - body.count
    if room > 0 { body.append(UnsafeRawBufferPointer(rebasing: bytes.prefix(room))) }
  }

  private func finishRequest() {
    state = .waiting
    let delay = instance.service.delayMilliseconds
    let milliseconds = delay.lowerBound + random.below(delay.count)
    if milliseconds == 0 { return answer() }
    _ = loop.schedule(self, tag: 0, at: loop.now.advanced(byMilliseconds: UInt64(milliseconds)))
  }

  private func answer() {
    let fails = random.unit() < instance.service.failureShare
    let hello = "\(instance.service.title) (\(instance.address))"
    if fails {
      respond("500 Internal Server Error", "\(hello) failed, as it does now and then\n")
    } else if !body.isEmpty {
      respond("200 OK", String(decoding: body.readable, as: UTF8.self))
    } else if path == "/headers" {
      respond("200 OK", "\(hello) was sent:\n\n" + headText)
    } else {
      respond("200 OK", "hello from \(hello)\n")
    }
  }

  private func respond(_ status: String, _ text: String) {
    output.append("HTTP/1.1 \(status)\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ")
    output.append(decimal: text.utf8.count)
    output.append(keepAlive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n")
    if method != .head { output.append(text) }
    state = keepAlive ? .head : .closed
    if !keepAlive { closesWhenSent = true }
  }

  private func refuse() {
    keepAlive = false
    method = .get
    respond("400 Bad Request", "this is not HTTP/1.1\n")
  }

  private func send() {
    while !output.isEmpty {
      let count = Socket.send(descriptor, output.readable)
      if count <= 0 {
        if !Socket.wouldBlock(count) { closeChannel() }
        return
      }
      output.consume(count)
    }
    if closesWhenSent { closeChannel() }
  }
}
