import HTTP2Cases
import MeshBase
import Testing

@testable import HTTP

@Suite("HTTP/2 abuse")
struct HTTP2AbuseTests {
  static let get = block(getFields)
  static let post = block(postFields)

  /// Sends what `frames` gives for 1, 2, 3… until the connection ends; how many that took.
  @discardableResult
  private func flood(
    _ client: RawClient, max: Int = 20_000, gap: UInt64 = 0, _ frames: (UInt32) -> [RawFrame]
  ) -> Int {
    for count in 1...max {
      client.send(frames(UInt32(count)))
      client.now += gap
      if client.server.session.failure != nil { return count }
    }
    return .max
  }

  private func expect(
    _ client: RawClient, _ abuse: HTTP2Abuse, _ code: HTTP2ErrorCode = .enhanceYourCalm,
    _ place: SourceLocation = #_sourceLocation
  ) {
    #expect(client.server.session.failure?.abuse == abuse, sourceLocation: place)
    #expect(client.goaway == code, sourceLocation: place)
    #expect(!client.server.session.wantsRead && !client.server.session.wantsWrite, sourceLocation: place)
    client.server.session.abandon()
    #expect(client.server.streams.allSatisfy { $0.closedWith.count == 1 }, sourceLocation: place)
    #expect(client.server.buffersOut == 0, sourceLocation: place)
  }

  private func limits(_ change: (inout HTTP2Limits) -> Void) -> HTTP2Limits {
    var limits = HTTP2Limits()
    change(&limits)
    return limits
  }

  @Test("rapid reset: streams given up before they were answered, whatever the code", arguments: [0, 8] as [UInt32])
  func rapidReset(code: UInt32) {
    let client = RawClient()
    let count = flood(client) { [headers(2 * $0 - 1, Self.get), rst(2 * $0 - 1, code)] }
    let limits = HTTP2Limits()
    #expect(count == limits.rapidResets.burst / limits.rapidResetWeight + 1)
    expect(client, .rapidReset)
  }

  @Test("a stream given up after a while counts once, one given up at once five times", arguments: [4, 5, 6])
  func resetAge(milliseconds: UInt64) {
    let client = RawClient(limits: limits { $0.rapidResets = HTTP2Rate(burst: 100, perSecond: 0) })
    let count = flood(client, gap: milliseconds * 1_000_000) { index in
      (index > 1 ? [rst(2 * index - 3)] : []) + [headers(2 * index - 1, Self.get)]
    }
    #expect(count == (milliseconds < 5 ? 22 : 102))
    expect(client, .rapidReset)
  }

  @Test("resets at a pace that costs little go on for ever, and so do resets of answered streams")
  func honestResets() {
    let slow = RawClient(limits: limits { $0.rapidResets = HTTP2Rate(burst: 20, perSecond: 100) })
    #expect(flood(slow, max: 2_000, gap: 51_000_000) { [headers(2 * $0 - 1, Self.get), rst(2 * $0 - 1)] } == .max)
    let answered = RawClient(limits: limits { $0.rapidResets = HTTP2Rate(burst: 20, perSecond: 0) })
    answered.server.onHead = { [server = answered.server] in
      server.respond($0, "HTTP/1.1 200 \r\n\r\n", end: false)
    }
    #expect(flood(answered, max: 2_000) { [headers(2 * $0 - 1, Self.get), rst(2 * $0 - 1)] } == .max)
  }

  @Test("resets that the peer provokes", arguments: [0, 1, 2])
  func provoked(kind: Int) {
    let client = RawClient()
    let bad = block(getFields + [("te", "gzip")])
    flood(client) { index in
      let id = 2 * index - 1
      switch kind {
      case 0: return [headers(id, Self.post, end: false), windowUpdate(id, 0)]
      case 1: return [headers(id, bad)]
      default:
        return [headers(id, Self.get), windowUpdate(id, 0x7fff_ffff)]
      }
    }
    #expect(client.server.session.failure?.abuse == .provokedResets || kind == 0)
    if kind != 0 { expect(client, .provokedResets) }
  }

  @Test("a field section in too many pieces, or too long before it is decoded")
  func continuations() {
    let many = RawClient()
    let block = block(getFields + [("x", String(repeating: "a", count: 60))])
    many.send(headers(1, Array(block.prefix(1)), endHeaders: false))
    flood(many, max: 100) { [continuation(1, [block[Int($0)]], endHeaders: false)] }
    expect(many, .continuationFlood)
    var settings = HTTP2Settings()
    settings.maxHeaderListBytes = 4_000
    let long = RawClient(settings)
    long.send(headers(1, [], endHeaders: false))
    // A field whose value never ends, so that nothing is decoded.
    long.send(continuation(1, [0, 1, 0x78, 0x7f, 0xff, 0xff, 0x02], endHeaders: false))
    flood(long, max: 10) { _ in [continuation(1, [UInt8](repeating: 0x61, count: 4_000), endHeaders: false)] }
    expect(long, .continuationFlood)
  }

  @Test("floods of frames that we must answer or look at")
  func floods() {
    let settings = RawClient()
    #expect(flood(settings) { _ in [settingsFrame((3, 100))] } == HTTP2Limits().settings.burst - 1)
    expect(settings, .settingsFlood)
    let pings = RawClient()
    #expect(
      flood(pings) { _ in [RawFrame(type: 6, payload: Array(repeating: 1, count: 8))] } == HTTP2Limits().pings.burst + 1
    )
    expect(pings, .pingFlood)
    let priorities = RawClient()
    flood(priorities) { [priority(2 * $0 + 1, on: 1)] }
    expect(priorities, .priorityFlood)
    let updates = RawClient()
    flood(updates) { _ in [windowUpdate(0, 1)] }
    expect(updates, .windowUpdateFlood)
    let unknown = RawClient()
    flood(unknown) { _ in [RawFrame(type: 0x77, payload: [1])] }
    expect(unknown, .unknownFrames)
  }

  @Test("frames without bytes: DATA, pieces of field sections, padding alone")
  func empty() {
    let data0 = RawClient()
    data0.send(headers(1, Self.post, end: false))
    #expect(flood(data0) { _ in [data(1)] } == HTTP2Limits().emptyFrames.burst + 1)
    expect(data0, .emptyFrames)
    let padded = RawClient(limits: limits { $0.paddingBytes = HTTP2Rate(burst: 1 << 30, perSecond: 0) })
    padded.send(headers(1, Self.post, end: false))
    flood(padded) { _ in [RawFrame(type: 0, flags: 8, stream: 1, payload: [1, 0])] }
    expect(padded, .emptyFrames)
    // Even on a stream that we have reset, which libnghttp2 passes over in silence.
    let gone = RawClient()
    gone.send(headers(1, Self.post, end: false))
    gone.server.session.reset(gone.server.streams[0], code: .cancel)
    flood(gone) { _ in [data(1)] }
    expect(gone, .emptyFrames)
  }

  @Test("padding beside little content; not beside much")
  func padding() {
    let waste = RawClient()
    waste.send(headers(1, Self.post, end: false))
    flood(waste) { _ in [RawFrame(type: 0, flags: 8, stream: 1, payload: [255, 1] + [UInt8](repeating: 0, count: 255))]
    }
    expect(waste, .paddingWaste)
    let fair = RawClient()
    fair.send(headers(1, Self.post, end: false))
    let frame = RawFrame(type: 0, flags: 8, stream: 1, payload: [100] + [UInt8](repeating: 0, count: 300))
    #expect(flood(fair, max: 2_000) { _ in [frame] } == .max)
  }

  @Test("credit that overflows the connection's window")
  func overflow() {
    let client = RawClient()
    client.send(windowUpdate(0, 0x7fff_ffff))
    expect(client, .windowOverflow, .flowControlError)
  }

  @Test("a field section over the limit is for the owner to answer; one far over it ends the connection")
  func headerBomb() {
    var settings = HTTP2Settings()
    settings.maxHeaderListBytes = 8_192
    settings.headerTableBytes = 4_096
    let client = RawClient(settings)
    let large = String(repeating: "a", count: 3_000)
    // Into the table, then one byte for each use.
    let stored = [0x40] + string("x") + string(large)
    client.send(headers(1, Self.get + stored))
    #expect(client.server.streams[0].hasHead)
    client.send(headers(3, Self.get + [UInt8](repeating: 0xbe, count: 5)))
    #expect(client.server.streams[1].isTooLarge && !client.server.streams[1].hasHead)
    #expect(client.server.respond(client.server.streams[1], "HTTP/1.1 431 \r\n\r\n"))
    client.send(headers(5, Self.get))
    #expect(client.server.streams[2].hasHead && client.server.session.failure == nil)
    client.send(headers(7, Self.get + [UInt8](repeating: 0xbe, count: 2_000)))
    #expect(client.server.streams.count == 3)
    expect(client, .headerBomb)
    let often = RawClient(settings)
    often.send(headers(1, Self.get + stored))
    flood(often) { [headers(2 * $0 + 1, Self.get + [UInt8](repeating: 0xbe, count: 5))] }
    expect(often, .headerBomb)
  }

  @Test("cookie crumbs count with what they cost, and held heads are bounded together")
  func heldHeads() {
    var settings = HTTP2Settings()
    settings.maxHeaderListBytes = 1 << 17
    let client = RawClient(settings, limits: limits { $0.heldHeadBytesMax = 200_000 })
    let crumbs =
      Self.get + [UInt8](repeating: 0, count: 0) + [0x40] + string("cookie") + string("a")
      + [UInt8](repeating: 0xbe, count: 2_500)
    client.send(headers(1, crumbs), headers(3, crumbs), headers(5, crumbs), headers(7, crumbs))
    #expect(client.server.streams.count == 3 && client.reset(7) == .refusedStream)
    #expect(client.server.session.heldHeadBytes > 200_000)
    for stream in client.server.streams { client.server.session.headUsed(stream) }
    #expect(client.server.session.heldHeadBytes == 0)
    client.send(headers(9, crumbs))
    #expect(client.server.streams.count == 4 && client.server.session.heldHeadBytes > 90_000)
    client.send(rst(9))
    #expect(client.server.session.heldHeadBytes == 0)
  }

  @Test("streams beyond the limit are refused, and the connection ends if they keep coming")
  func tooManyStreams() {
    var settings = HTTP2Settings()
    settings.maxConcurrentStreams = 10
    let client = RawClient(settings)
    for index in 0..<12 { client.send(headers(UInt32(2 * index + 1), Self.get)) }
    #expect(client.server.streams.count == 10)
    #expect(client.reset(21) == .refusedStream && client.reset(23) == .refusedStream && client.reset(19) == nil)
    client.server.respond(client.server.streams[0], "HTTP/1.1 200 \r\n\r\n")
    client.send()
    client.send(headers(25, Self.get))
    #expect(client.server.streams.count == 11)
    let count = flood(client) { [headers(2 * $0 + 101, Self.get)] }
    #expect(count < 2 * HTTP2Limits().refusedStreams.burst)
    expect(client, .tooManyStreams)
    // All at once in one read.
    let rushed = RawClient(settings)
    rushed.send((0..<2_000).map { headers(UInt32(2 * $0 + 1), Self.get) })
    #expect(rushed.server.streams.count == 10)
    expect(rushed, .tooManyStreams)
  }

  @Test("waiting for the peer's window shows with its time")
  func stalled() {
    let client = RawClient()
    client.now = 5
    client.send(settingsFrame((4, 10)), headers(1, Self.get))
    let stream = client.server.streams[0]
    client.server.respond(stream, "HTTP/1.1 200 \r\n\r\n", end: false)
    client.server.send(stream, [UInt8](repeating: 1, count: 25))
    client.now = 7
    client.send()
    #expect(client.server.session.stalledSince(stream) == MonotonicInstant(nanoseconds: 7))
    client.now = 9
    client.send()
    #expect(client.server.session.stalledSince(stream) == MonotonicInstant(nanoseconds: 7))
    client.now = 11
    client.send(windowUpdate(1, 10))
    #expect(client.server.session.stalledSince(stream) == MonotonicInstant(nanoseconds: 11))
    client.send(windowUpdate(1, 10))
    #expect(client.server.session.stalledSince(stream) == nil)
    client.server.session.fail(.zeroWindow)
    client.send()
    expect(client, .zeroWindow)
  }

  @Test("no preface: the owner's timer can tell")
  func slowPreface() {
    let client = RawClient(handshake: false)
    client.send(bytes: Array(RawClient.preface.dropLast()))
    #expect(!client.server.session.prefaceReceived)
    client.send(bytes: [10] + settingsFrame().bytes)
    #expect(client.server.session.prefaceReceived)
    let slow = RawClient(handshake: false)
    slow.server.session.fail(.slowPreface)
    slow.send()
    expect(slow, .slowPreface)
  }

  @Test("an honest load comes near no bound")
  func honest() {
    var pair = HTTP2Pair()
    pair.server.onEnd = { [server = pair.server] stream in
      server.respond(stream, "HTTP/1.1 200 \r\n\r\n", end: false)
      server.send(stream, stream.body)
      server.end(stream)
    }
    for _ in 0..<40 {
      for index in 0..<100 {
        let stream = pair.client.request("POST / HTTP/1.1\r\nHost: web\r\n\r\n", end: false)
        pair.client.send(stream, [UInt8](repeating: 1, count: index * 100))
        pair.client.end(stream)
      }
      pair.settle()
    }
    #expect(pair.client.session.failure == nil && pair.server.session.failure == nil)
    #expect(pair.server.streams.count == 4_000 && pair.server.streams.allSatisfy { $0.closedWith == [.noError] })
  }

  @Test("a budget lets through its burst at once, at most twice that, and its rate in the long run", arguments: 0..<20)
  func budget(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    let burst = 1 + Int(random.next() % 50)
    let perSecond = Int(random.next() % 100)
    var budget = HTTP2Budget(HTTP2Rate(burst: burst, perSecond: perSecond))
    var now: UInt64 = random.next() % 1_000_000_000
    for _ in 0..<burst {
      let spent = budget.spend(at: now)
      #expect(spent, "seed \(seed)")
    }
    let start = now
    var passed = burst
    for _ in 0..<5_000 {
      now += random.next() % 10_000_000
      if budget.spend(at: now) { passed += 1 } else { budget.earn() }
    }
    let allowed = 2 * burst + Int(Double(now - start) / 1e9 * Double(perSecond)) + 1
    #expect(passed <= allowed, "seed \(seed): \(passed) of \(allowed)")
    #expect(passed >= Int(Double(now - start) / 1e9 * Double(perSecond) * 0.9), "seed \(seed)")
    // The far future does not overflow.
    let late = budget.spend(at: .max)
    #expect(late)
  }

  @Test("windows grow until they hold what comes in a round trip, and only for streams that are read")
  func growth() {
    // One round trip of 20 ms at 1 Gbit/s holds 2.5 MB.
    var estimate = HTTP2WindowEstimate(window: 65_536, windowMax: 16 << 20)
    var now = MonotonicInstant(nanoseconds: 1)
    let pings = estimate.shouldPing(at: now)
    #expect(pings)
    now = now.advanced(byMilliseconds: 20)
    estimate.acked(at: now)
    var rounds = 0
    while rounds < 20 {
      let start = now
      now = now.advanced(byNanoseconds: UInt64(max(20e6, Double(estimate.window / 2) / 2_500_000 * 20e6)))
      if !estimate.isTooSmall(since: start, at: now) { break }
      let before = estimate.window
      #expect(estimate.grow(from: before) == 2 * before)
      rounds += 1
    }
    #expect(estimate.window >= 3 * 2_500_000 && estimate.window < 6 * 2_500_000 && rounds <= 8)
    // A smaller window that was too small becomes as large at once.
    #expect(estimate.grow(from: 65_536) == estimate.window)
    // A PING that waited behind the sender's bytes says nothing about the way.
    now = now.advanced(byMilliseconds: 1_000)
    let pingsAgain = estimate.shouldPing(at: now)
    #expect(pingsAgain)
    let late = now.advanced(byMilliseconds: 500)
    estimate.acked(at: late)
    #expect(!estimate.isTooSmall(since: now, at: late))
    // As long as it does not grow there are fewer and fewer PINGs.
    now = late
    var count = 0
    for _ in 0..<1_000 {
      if estimate.shouldPing(at: now) {
        count += 1
        estimate.acked(at: now)
      }
      now = now.advanced(byMilliseconds: 5)
    }
    #expect(count < 20)
  }

  @Test("on one host a busy loop's turn counts as the round trip")
  func growthAtHome() {
    var estimate = HTTP2WindowEstimate(window: 65_536, windowMax: 1 << 20)
    let now = MonotonicInstant(nanoseconds: 1_000_000_000)
    #expect(estimate.isTooSmall(since: now, at: now.advanced(byNanoseconds: 1_400_000)))
    #expect(!estimate.isTooSmall(since: now, at: now.advanced(byNanoseconds: 1_600_000)))
    for _ in 0..<10 { _ = estimate.grow(from: estimate.window) }
    #expect(estimate.window == 1 << 20)
    let pings = estimate.shouldPing(at: now)
    #expect(!pings, "as large as allowed")
  }

  @Test("a long download grows its stream's window to the estimate, and gives the room back")
  func growingStream() {
    var pair = HTTP2Pair()
    let stream = pair.client.request("POST / HTTP/1.1\r\nHost: web\r\n\r\n", end: false)
    let still = pair.client.request("POST / HTTP/1.1\r\nHost: web\r\n\r\n", end: false)
    pair.client.send(stream, [UInt8](repeating: 1, count: 30 << 20))
    pair.client.send(still, [UInt8](repeating: 1, count: 100))
    pair.client.end(stream)
    pair.settle()
    let reader = pair.server.streams[0]
    #expect(reader.body.count == 30 << 20)
    #expect(reader.receiveWindowBytes > 1 << 20)
    #expect(pair.server.streams[1].receiveWindowBytes == 65_536)
    #expect(pair.server.pings.isEmpty)
  }

  @Test("many streams that are read grow their connection's window, and none of theirs that is large enough")
  func growingConnection() {
    var pair = HTTP2Pair()
    #expect(pair.server.session.connectionWindow == 1 << 20)
    let body = [UInt8](repeating: 1, count: 30_000)
    for _ in 0..<100 { pair.client.send(pair.client.request("POST / HTTP/1.1\r\nHost: web\r\n\r\n", end: false), body) }
    pair.settle()
    #expect(pair.server.streams.allSatisfy { $0.body.count == 30_000 && $0.receiveWindowBytes == 65_536 })
    #expect(pair.server.session.connectionWindow >= 2 << 20)
  }
}
