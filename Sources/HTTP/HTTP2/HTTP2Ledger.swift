import MeshBase

/// What a connection's peer has cost so far, against `HTTP2Limits`. Confined to one worker.
struct HTTP2Ledger {
  private var rapidResets: HTTP2Budget
  private var provokedResets: HTTP2Budget
  private var settings: HTTP2Budget
  private var pings: HTTP2Budget
  private var priorities: HTTP2Budget
  private var windowUpdates: HTTP2Budget
  private var emptyFrames: HTTP2Budget
  private var paddingBytes: HTTP2Budget
  private var unknownFrames: HTTP2Budget
  private var oversizeHeads: HTTP2Budget
  private var refusedStreams: HTTP2Budget

  private let rapidResetWeight: Int
  private let rapidResetAge: UInt64
  private let continuationsMax: Int
  private let sectionBytesMax: Int
  /// Of the field section that is coming in.
  private var continuations = 0
  private var sectionBytes = 0

  init(_ limits: HTTP2Limits, maxHeaderListBytes: Int) {
    rapidResets = HTTP2Budget(limits.rapidResets)
    provokedResets = HTTP2Budget(limits.provokedResets)
    settings = HTTP2Budget(limits.settings)
    pings = HTTP2Budget(limits.pings)
    priorities = HTTP2Budget(limits.priorities)
    windowUpdates = HTTP2Budget(limits.windowUpdates)
    emptyFrames = HTTP2Budget(limits.emptyFrames)
    paddingBytes = HTTP2Budget(limits.paddingBytes)
    unknownFrames = HTTP2Budget(limits.unknownFrames)
    oversizeHeads = HTTP2Budget(limits.oversizeHeads)
    refusedStreams = HTTP2Budget(limits.refusedStreams)
    rapidResetWeight = limits.rapidResetWeight
    rapidResetAge = limits.rapidResetAge
    continuationsMax = limits.continuationsMax
    // Encoded fields are no longer than decoded ones, but for a few bytes each, which the 32 more cover.
    sectionBytesMax = maxHeaderListBytes * limits.headerBombFactor
  }

  /// Frames and resets, all kinds together, that were not paid for or forgotten.
  var level: Int {
    rapidResets.level &+ provokedResets.level &+ settings.level &+ pings.level &+ priorities.level
      &+ windowUpdates.level &+ emptyFrames.level &+ unknownFrames.level &+ oversizeHeads.level &+ refusedStreams.level
  }

  /// The head of a frame has come; what it is too much of, if anything.
  mutating func frameBegins(_ head: HTTP2FrameScan.Head, at now: UInt64) -> HTTP2Abuse? {
    switch head.type {
    case HTTP2Frame.data:
      if head.length == 0, head.flags & HTTP2Frame.endStream == 0 { return spendEmpty(at: now) }
    case HTTP2Frame.headers:
      continuations = 0
      sectionBytes = head.length
      priorities.earn(2)
      if head.length == 0, head.flags & HTTP2Frame.endHeaders == 0 { return spendEmpty(at: now) }
    case HTTP2Frame.continuation:
      continuations &+= 1
      sectionBytes &+= head.length
      if continuations > continuationsMax || sectionBytes > sectionBytesMax { return .continuationFlood }
      if head.length == 0 { return spendEmpty(at: now) }
    case HTTP2Frame.priority, HTTP2Frame.priorityUpdate:
      if !priorities.spend(at: now) { return .priorityFlood }
    case HTTP2Frame.settings, HTTP2Frame.goaway:
      if !settings.spend(at: now) { return .settingsFlood }
    case HTTP2Frame.ping:
      if !pings.spend(at: now) { return .pingFlood }
    case HTTP2Frame.windowUpdate:
      if !windowUpdates.spend(at: now) { return .windowUpdateFlood }
    case HTTP2Frame.rstStream, HTTP2Frame.pushPromise: break
    default:
      if !unknownFrames.spend(at: now) { return .unknownFrames }
    }
    return nil
  }

  private mutating func spendEmpty(at now: UInt64) -> HTTP2Abuse? {
    emptyFrames.spend(at: now) ? nil : .emptyFrames
  }

  /// A DATA or HEADERS frame with `padding` bytes (its length byte included) and `content` more is complete.
  @inline(__always)
  mutating func received(content: Int, padding: Int, isEnd: Bool, at now: UInt64) -> HTTP2Abuse? {
    if content > 0 { pings.earn() }
    paddingBytes.earn(content)
    if padding == 0 { return nil }
    if !paddingBytes.spend(padding, at: now) { return .paddingWaste }
    return content == 0 && !isEnd ? spendEmpty(at: now) : nil
  }

  mutating func sentData() {
    pings.earn()
    windowUpdates.earn(4)
  }

  /// A stream that was opened at `opened` is reset, and was not answered.
  mutating func resetBeforeAnswer(opened: UInt64, at now: UInt64) -> HTTP2Abuse? {
    let cost = now &- opened < rapidResetAge ? rapidResetWeight : 1
    return rapidResets.spend(cost, at: now) ? nil : .rapidReset
  }

  mutating func endedWell() { rapidResets.earn() }
  mutating func resetProvoked(at now: UInt64) -> HTTP2Abuse? { provokedResets.spend(at: now) ? nil : .provokedResets }
  mutating func headTooLarge(at now: UInt64) -> HTTP2Abuse? { oversizeHeads.spend(at: now) ? nil : .headerBomb }
  mutating func streamRefused(at now: UInt64) -> HTTP2Abuse? { refusedStreams.spend(at: now) ? nil : .tooManyStreams }
}
