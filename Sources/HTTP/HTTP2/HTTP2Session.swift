import CMeshShims
import CNghttp2
import MeshBase

/// The protocol state of one HTTP/2 connection, for either end: bytes in, events out; frames out as bytes.
///
/// Knows no socket and no clock. What the owner submits waits inside until `takeOutput` asks for it, so that one write
/// carries all frames of a loop turn. Flow control towards the peer follows what the owner reports as `consumed`.
///
/// After a failure, or once both ends said goodbye, `wantsRead` is false: write what `takeOutput` still gives, then
/// close the connection and call `abandon`, which closes the streams that are left. Confined to one worker.
public final class HTTP2Session: Parkable {
  public let role: HTTP2Role
  public let settings: HTTP2Settings
  public let limits: HTTP2Limits
  /// Set before the first call, and kept alive by whoever calls.
  public var delegate: HTTP2Delegate? {
    get { delegateLink?.takeUnretainedValue() }
    set { delegateLink = newValue.map { .passUnretained($0) } }
  }
  private var delegateLink: Unmanaged<HTTP2Delegate>?

  /// libnghttp2's session; valid until `deinit`. Parked while `parked` is there: not to be touched, but by way of `raw`.
  private let storage: OpaquePointer
  private let arena: UnsafeMutableRawPointer?
  private var parked: UnsafeMutableRawPointer?
  package var isResting = false
  package var place = 0
  private let workshop: HTTP2Workshop
  /// Of the field section that is coming in.
  private(set) var reader: Unretained<HTTP2HeadReader> = nil
  /// A field section that decodes to more ends the connection.
  let sectionBytesMax: Int
  let writer: HTTP2HeadWriter

  /// Where frames are being written, during `takeOutput`; nil otherwise.
  var output: Unmanaged<ByteBuffer>?
  var outputLimit = 0
  /// DATA was held back because the output is full.
  var isOutputFull = false
  /// The stream whose DATA frame has a head already and waits for room: its queue must stay.
  var framed: UnsafeMutableRawPointer?
  /// Within `receive`.
  var isReceiving = false

  /// The owner's clock: set by `receive`, and by the owner when it submits or writes at another time.
  public var now = MonotonicInstant(nanoseconds: 0)
  var ledger: HTTP2Ledger
  /// A fault of the peer's found within a callback; the connection fails when that returns.
  var fault: HTTP2Failure?
  var closedStreams = HTTP2ClosedStreams()
  private var scan: HTTP2FrameScan
  /// The highest stream that the peer has opened.
  var lastRequestID: Int32 = 0
  /// Bytes of heads that owners hold.
  public internal(set) var heldHeadBytes = 0
  /// The peer still has to be told how many streams it may open.
  private var announcesStreams: Bool
  var estimate: HTTP2WindowEstimate
  /// Bytes of body given to the delegate and not consumed, all streams together.
  public internal(set) var unconsumedBytes = 0
  /// Credit of the connection that is withheld because too much is unconsumed.
  var withheldBytes = 0
  /// What stream windows have grown by, all open streams together.
  var grownBytes = 0
  /// The connection's window, bytes that came since it was last looked at, and when that was.
  var connectionWindow: Int
  var connectionBytes = 0
  var connectionUsedSince = MonotonicInstant(nanoseconds: 0)

  /// The open streams.
  var firstStream: Unmanaged<HTTP2Stream>?
  /// Streams that are open, whichever end opened them.
  public internal(set) var streamCount = 0

  /// A stream's owner hears `outputDrained` when what waits has fallen from above this to it or below; bytes.
  public var lowWaterBytes = 16_384

  /// The peer's SETTINGS have come, and so its preface: until then an owner should keep a timer.
  public internal(set) var prefaceReceived = false
  /// Streams the peer lets us open at a time; 100 is assumed until its settings come.
  public internal(set) var peerMaxConcurrentStreams = 100
  /// The peer takes extended CONNECT, RFC 8441.
  public internal(set) var peerTakesExtendedConnect = false
  /// The peer has sent GOAWAY: no new streams.
  public internal(set) var goawayReceived = false
  /// Why the connection is over, once it is.
  public internal(set) var failure: HTTP2Failure?
  /// libnghttp2's last complaint about a frame.
  var complaint: Int32 = 0
  /// Nothing more can be sent.
  private var isMute = false
  /// `abandon` was called.
  var isAbandoned = false

  public init(
    role: HTTP2Role, settings: HTTP2Settings = HTTP2Settings(), limits: HTTP2Limits = HTTP2Limits(),
    workshop: HTTP2Workshop = HTTP2Workshop(), delegate: HTTP2Delegate? = nil
  ) {
    self.workshop = workshop
    writer = workshop.writer
    self.role = role
    self.settings = settings
    self.limits = limits
    ledger = HTTP2Ledger(limits, maxHeaderListBytes: settings.maxHeaderListBytes)
    sectionBytesMax = settings.maxHeaderListBytes * limits.headerBombFactor
    announcesStreams = role == .server
    scan = HTTP2FrameScan(preface: role == .server ? HTTP2Preface.length : 0)
    delegateLink = delegate.map { .passUnretained($0) }
    connectionWindow = max(65_535, settings.connectionWindowBytes)
    estimate = HTTP2WindowEstimate(
      window: settings.initialStreamWindowBytes, windowMax: settings.streamWindowBytesMax)
    var session: OpaquePointer?
    arena = HTTP2Library.hasArenas ? mesh_arena_new() : nil
    var memory = HTTP2Library.memory(arena)
    let option = HTTP2Library.option(settings)
    defer { nghttp2_option_del(option) }
    let result =
      role == .server
      ? nghttp2_session_server_new3(&session, HTTP2Library.callbacks, nil, option, &memory)
      : nghttp2_session_client_new3(&session, HTTP2Library.callbacks, nil, option, &memory)
    guard result == 0, let session else { preconditionFailure("no memory for an HTTP/2 session") }
    storage = session
    workshop.awake.join(self)
    nghttp2_session_set_user_data(raw, Unmanaged.passUnretained(self).toOpaque())
    submitSettings()
  }

  deinit {
    precondition(firstStream == nil, "an HTTP/2 session went with open streams: abandon was not called")
    reader { workshop.giveBack($0) }
    nghttp2_session_del(raw)
    workshop.awake.leave(self)
    if let arena { mesh_arena_free(arena) }
  }

  /// Calls the delegate, and counts no reference for it.
  @inline(__always)
  func tell<R>(_ call: (HTTP2Delegate) -> R) -> R {
    delegateLink.unsafelyUnwrapped._withUnsafeGuaranteedRef(call)
  }

  private func submitSettings() {
    var entries: [nghttp2_settings_entry] = []
    func set(_ id: nghttp2_settings_id, _ value: Int) {
      entries.append(
        nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(clamping: value)))
    }
    switch role {
    case .server:
      // First, where `announceStreams` finds it. libnghttp2 would end the connection over one stream too many; it is
      // told a larger number than the peer, and what lies between is refused here.
      set(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings.maxConcurrentStreams + 2 * limits.refusedStreams.burst + 1)
      if settings.enableConnectProtocol { set(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1) }
    case .client: set(NGHTTP2_SETTINGS_ENABLE_PUSH, 0)
    }
    set(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, min(settings.initialStreamWindowBytes, Int(Int32.max)))
    if settings.maxFrameBytes != 16_384 { set(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, settings.maxFrameBytes) }
    if settings.headerTableBytes != 4_096 { set(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, settings.headerTableBytes) }
    set(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings.maxHeaderListBytes)
    set(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1)
    let result = nghttp2_submit_settings(raw, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
    precondition(result == 0, "settings out of range: \(settings)")
    setConnectionWindow(connectionWindow)
  }

  /// Hands over bytes from the peer. Not nil: the connection has failed, see `HTTP2Failure`. A fault that libnghttp2
  /// has found shows in `failure` only when its GOAWAY has been taken; until then nothing further is read.
  public func receive(_ bytes: UnsafeRawBufferPointer, now: MonotonicInstant) -> HTTP2Failure? {
    precondition(!isReceiving && output == nil, "receive within an event")
    if let failure { return failure }
    if isAbandoned { return nil }
    self.now = now
    isReceiving = true
    scanAndFeed(bytes)
    isReceiving = false
    if let fault { fail(fault) }
    return failure
  }

  /// libnghttp2 reads up to each reset, so that what follows it is judged by what it has done.
  private func scanAndFeed(_ bytes: UnsafeRawBufferPointer) {
    var fed = 0
    var offset = 0
    var isReset = false
    while fault == nil {
      switch scan.next(bytes, from: offset) {
      case .head(let head, let end):
        offset = end
        isReset = head.type == HTTP2Frame.rstStream
        guard let found = frameComes(head) else { continue }
        feed(bytes, from: &fed, to: end)
        fault = fault ?? found
      case .frameEnd(let end):
        offset = end
        if isReset { feed(bytes, from: &fed, to: end) }
      case .end: return feed(bytes, from: &fed, to: bytes.count)
      }
    }
  }

  @inline(__always)
  private func feed(_ bytes: UnsafeRawBufferPointer, from start: inout Int, to end: Int) {
    let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
    start = end
    let result = nghttp2_session_mem_recv(raw, piece.baseAddress?.assumingMemoryBound(to: UInt8.self), piece.count)
    if result < 0, fault == nil {
      fault = HTTP2Failure(code: HTTP2Library.code(for: Int32(result)), libraryError: Int32(result))
    }
  }

  /// Ends the connection because of what the owner has found: GOAWAY with its code, no more input.
  public func fail(_ abuse: HTTP2Abuse) { if !isAbandoned { fail(HTTP2Failure(abuse)) } }

  /// Ends the connection from our side: GOAWAY with the failure's code, no more input.
  func fail(_ failure: HTTP2Failure) {
    if self.failure != nil { return }
    self.failure = failure
    nghttp2_session_terminate_session(raw, failure.code.rawValue)
  }

  /// Writes frames to the end of `buffer` until it holds `limit` bytes or nothing is left that may be sent now; one
  /// frame may go beyond the limit. True if more is ready.
  public func takeOutput(into buffer: ByteBuffer, upTo limit: Int) -> Bool {
    precondition(!isReceiving && output == nil, "takeOutput within an event")
    if isAbandoned { return false }
    output = Unmanaged.passUnretained(buffer)
    outputLimit = limit
    isOutputFull = false
    defer { output = nil }
    while true {
      if buffer.count >= limit { return wantsWrite }
      var frame: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(raw, &frame)
      if let fault, failure == nil {
        fail(fault)
        // Its GOAWAY is to go out now.
        if count == 0 { continue }
      }
      if count > 0 {
        buffer.append(UnsafeRawBufferPointer(start: frame, count: count))
        if announcesStreams { announceStreams(UnsafeRawBufferPointer(start: frame, count: count), buffer) }
      } else if count == 0 {
        return isOutputFull
      } else {
        // Out of memory, or a fault of ours in a callback: nothing more can be sent.
        failure = failure ?? HTTP2Failure(code: .internalError, libraryError: Int32(count))
        isMute = true
        return false
      }
    }
  }

  /// Writes the number of streams that the peer may open into our first frame, SETTINGS, at the end of `buffer`.
  private func announceStreams(_ frame: UnsafeRawBufferPointer, _ buffer: ByteBuffer) {
    announcesStreams = false
    let entry = HTTP2Frame.headBytes
    precondition(frame.count >= entry + 6 && frame[3] == HTTP2Frame.settings && frame[entry + 1] == 3)
    let number = UInt32(clamping: settings.maxConcurrentStreams)
    buffer.truncate(to: buffer.count - frame.count)
    buffer.append(UnsafeRawBufferPointer(rebasing: frame[0..<entry + 2]))
    for shift in [24, 16, 8, 0] as [UInt32] { buffer.append(UInt8(truncatingIfNeeded: number >> shift)) }
    buffer.append(UnsafeRawBufferPointer(rebasing: frame[(entry + 6)...]))
  }

  /// Whether `takeOutput` has something to give.
  public var wantsWrite: Bool { !isAbandoned && !isMute && nghttp2_session_want_write(raw) != 0 }
  /// Whether bytes from the peer still matter.
  public var wantsRead: Bool { !isAbandoned && failure == nil && nghttp2_session_want_read(raw) != 0 }
  /// Whether everything is said and sent: the connection may be closed.
  public var isFinished: Bool { !wantsRead && !wantsWrite }

  /// The connection is gone: tells the delegate `closed` for every stream that is open, with `code`. Nothing happens
  /// after that.
  public func abandon(code: HTTP2ErrorCode = .internalError) {
    precondition(!isReceiving && output == nil, "abandon within an event")
    isAbandoned = true
    while let first = firstStream {
      first._withUnsafeGuaranteedRef { close($0, code: code) }
    }
  }
}

// Parking.
extension HTTP2Session {
  /// For every use of libnghttp2's session, each of which ends its rest.
  @inline(__always)
  var raw: OpaquePointer {
    if isResting { wake() }
    return storage
  }

  @inline(never)
  private func wake() {
    isResting = false
    guard let arena, let kept = parked else { return }
    mesh_arena_fetch(arena, kept)
    parked = nil
    workshop.awake.join(self)
  }

  /// Gives most of the memory back until the session is used again, which then costs a page fault for each of three or
  /// four pages.
  ///
  /// While nothing waits to be written, libnghttp2 has reset its buffer for frames, the one part that is not kept.
  package func park() -> Bool {
    guard let arena, parked == nil, !isReceiving, output == nil, !isAbandoned, failure == nil,
      nghttp2_session_want_read(storage) != 0, nghttp2_session_want_write(storage) == 0
    else { return false }
    parked = mesh_arena_park(arena)
    return parked != nil
  }

  package var isParked: Bool { parked != nil }
}

// Field sections.
extension HTTP2Session {
  /// The reader for a section that begins.
  func beginSection() -> Unretained<HTTP2HeadReader> {
    // One that libnghttp2 gave up in the middle may be left.
    if reader == nil { reader = workshop.takeReader() }
    return reader
  }

  func endSection() {
    let finished = reader
    reader = nil
    finished {
      $0.end()
      workshop.giveBack($0)
    }
  }
}

// Streams.
extension HTTP2Session {
  /// Takes `stream` into the list of open ones.
  func attach(_ stream: HTTP2Stream, id: Int32) {
    stream.attach(to: self, id: id)
    let link = Unmanaged.passUnretained(stream)
    stream.next = firstStream
    stream.previous = nil
    firstStream?._withUnsafeGuaranteedRef { $0.previous = link }
    firstStream = link
    streamCount &+= 1
  }

  /// Lets `stream` go, as the last thing that happens to it.
  func close(_ stream: HTTP2Stream, code: HTTP2ErrorCode) {
    if let previous = stream.previous {
      previous._withUnsafeGuaranteedRef { $0.next = stream.next }
    } else {
      firstStream = stream.next
    }
    stream.next?._withUnsafeGuaranteedRef { $0.previous = stream.previous }
    stream.next = nil
    stream.previous = nil
    streamCount &-= 1
    dropOutput(stream)
    grownBytes &-= stream.receiveWindowBytes &- settings.initialStreamWindowBytes
    unconsumedBytes &-= stream.unconsumedBytes
    stream.unconsumedBytes = 0
    headUsed(stream)
    stream.link = nil
    returnWithheldCredit()
    tell { $0.closed(stream, code: code) }
  }

  /// The owner needs the stream's request head no more: what it counted for is free again.
  public func headUsed(_ stream: HTTP2Stream) {
    heldHeadBytes &-= stream.heldHeadBytes
    stream.heldHeadBytes = 0
  }

  /// How many of the peer's frames and resets cost us more than the peer and are not paid for by other work.
  public var charged: Int { ledger.level }

  /// Since when bytes wait on `stream` without progress because the peer's window, of the stream or of the connection,
  /// is closed; nil while it is open or nothing waits.
  public func stalledSince(_ stream: HTTP2Stream) -> MonotonicInstant? {
    if stream.isClosed || stream.queuedBytes == 0 { return nil }
    if nghttp2_session_get_remote_window_size(raw) > 0,
      nghttp2_session_get_stream_remote_window_size(raw, stream.id) > 0
    {
      return nil
    }
    return MonotonicInstant(nanoseconds: stream.progressAt)
  }

  /// Resets the streams on which bytes have waited since before `limit` because the peer's window is closed; how many.
  public func resetStalled(since limit: MonotonicInstant) -> Int {
    var count = 0
    var link = firstStream
    while let current = link {
      link = current._withUnsafeGuaranteedRef { stream in
        if !stream.isReset, let since = stalledSince(stream), since <= limit {
          reset(stream, code: .cancel)
          count += 1
        }
        return stream.next
      }
    }
    return count
  }

  /// Gives back what waits to be sent.
  func dropOutput(_ stream: HTTP2Stream) {
    if stream.queue != nil { giveBackQueue(of: stream) }
    if let trailers = stream.trailers.take() { giveBack(trailers) }
  }

  /// Empties it, whatever it held.
  @inline(__always)
  func giveBack(_ buffer: __owned ByteBuffer) {
    buffer.removeAll()
    delegateLink.unsafelyUnwrapped._withUnsafeGuaranteedRef { $0.giveBack(buffer) }
  }

  func giveBackQueue(of stream: HTTP2Stream) {
    if let queue = stream.queue.take() { giveBack(queue) }
  }

  /// The open stream `id` as far as the owner knows it.
  @inline(__always)
  func stream(_ id: Int32) -> Unmanaged<HTTP2Stream>? {
    guard let pointer = nghttp2_session_get_stream_user_data(raw, id) else { return nil }
    return Unmanaged<HTTP2Stream>.fromOpaque(pointer)
  }
}
