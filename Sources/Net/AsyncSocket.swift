import Glibc
import MeshBase

/// A TCP connection of the control plane, read and written with `await`. One reader and one writer at a time.
@ControlActor
public final class AsyncSocket {
  private let channel: AsyncChannel
  /// What secures it; `nil`: plain.
  public private(set) var tls: TLSSession?
  /// Of all secured connections of the control plane.
  private static let workspace = TLSWorkspace()

  /// Of what is sent by the idle thread, once something is.
  private var twin: Twin?
  private var isPatient = true

  private init(_ channel: AsyncChannel) { self.channel = channel }

  deinit {
    let channel = channel
    Task { @ControlActor in channel.fail(SystemError("close", code: ECANCELED)) }
  }

  /// Connects within the time-out. Throws `SystemError` (ETIMEDOUT when the time is up).
  public static func connect(to address: SocketAddress, timeoutMilliseconds: UInt64 = 3_000) async throws -> AsyncSocket
  {
    let channel = AsyncChannel(loop: ControlThread.shared.loop, descriptor: try Socket.connect(to: address))
    try channel.register()
    channel.setDeadline(Clock.now.advanced(byMilliseconds: timeoutMilliseconds))
    try await channel.untilWritable()
    let code = Socket.pendingError(channel.descriptor)
    channel.setDeadline(nil)
    if code != 0 {
      channel.closeChannel()
      throw SystemError("connect", code: code, subject: address.description)
    }
    return AsyncSocket(channel)
  }

  /// Connects to a Unix socket.
  public static func connect(toUnixSocket path: String) throws -> AsyncSocket {
    let channel = AsyncChannel(loop: ControlThread.shared.loop, descriptor: try Socket.connect(unixSocket: path))
    try channel.register()
    return AsyncSocket(channel)
  }

  static func accepted(_ descriptor: consuming Descriptor) throws(SystemError) -> AsyncSocket {
    let channel = AsyncChannel(loop: ControlThread.shared.loop, descriptor: descriptor)
    try channel.register()
    return AsyncSocket(channel)
  }

  /// Reads and writes that are still waiting at this time throw ETIMEDOUT and the socket is closed. `nil`: wait for ever.
  public func setDeadline(_ deadline: MonotonicInstant?) { channel.setDeadline(deadline) }

  /// Secures an accepted connection, as its server. Throws `TLSHandshakeError`, or `SystemError` when the time is up.
  public func startTLS(server context: TLSServerContext) async throws {
    try await start(TLSSession(server: context, descriptor: channel.descriptor, workspace: Self.workspace))
  }

  /// Secures a connection that was made, as its client; the server's certificate must be for the name.
  public func startTLS(client context: TLSClientContext, expectedName: String) async throws {
    let session = TLSSession(
      client: context, descriptor: channel.descriptor, workspace: Self.workspace, expectedName: expectedName)
    try await start(session)
  }

  private func start(_ session: TLSSession) async throws {
    if let failure = channel.failure { throw failure }
    while true {
      switch session.handshake() {
      case .done:
        tls = session
        return
      case .wantsMore:
        if session.hasUnsent { try await channel.untilWritable() } else { try await channel.untilReadable() }
        if let failure = channel.failure { throw failure }
      case .failed(let failure): throw TLSHandshakeError(failure: failure, text: session.failureText)
      }
    }
  }

  /// At most `max` bytes; empty at end of stream. A secured stream that ends without saying so throws ECONNRESET: what
  /// came may not be all there was.
  public func read(max: Int = 65_536) async throws -> [UInt8] {
    while true {
      if let failure = channel.failure { throw failure }
      var count = 0
      let bytes = [UInt8](unsafeUninitializedCapacity: max) { buffer, initialized in
        count = receive(UnsafeMutableRawBufferPointer(buffer))
        initialized = Swift.max(count, 0)
      }
      if count == 0, tls?.wasTruncated == true { throw SystemError("recv", code: ECONNRESET) }
      if count >= 0 { return bytes }
      guard Socket.wouldBlock(count) else { throw SystemError("recv", code: Int32(-count)) }
      try await channel.untilReadable()
    }
  }

  private func receive(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    tls.map { $0.receive(into: buffer) } ?? Socket.receive(channel.descriptor, into: buffer)
  }

  /// Returns when the kernel has taken all bytes. What is not urgent an idle processor sends, if there is one: for the
  /// kernel, a large piece is work for longer than a request takes.
  public func write(_ bytes: [UInt8], isUrgent: Bool = true) async throws {
    var offset = 0
    while offset < bytes.count {
      if let failure = channel.failure { throw failure }
      let count = isUrgent ? send(bytes, from: offset) : await sendIdly(bytes, from: offset)
      if count >= 0 {
        offset += count
      } else {
        guard Socket.wouldBlock(count) else { throw SystemError("send", code: Int32(-count)) }
        try await channel.untilWritable()
      }
    }
  }

  private func send(_ bytes: [UInt8], from offset: Int) -> Int {
    bytes.withUnsafeBytes { bytes in
      let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
      return tls.map { $0.send(rest) } ?? Socket.send(channel.descriptor, rest)
    }
  }

  private func sendIdly(_ bytes: [UInt8], from offset: Int) async -> Int {
    guard tls == nil, bytes.count - offset >= IdleThread.bulkBytes, isPatient else { return send(bytes, from: offset) }
    if twin == nil { twin = try? Twin(of: channel.descriptor) }
    guard let twin else { return send(bytes, from: offset) }
    let began = Clock.now
    let sent = await IdleThread.shared.run(patienceMilliseconds: IdleThread.patienceMilliseconds) {
      twin.send(bytes, from: offset)
    }
    if Clock.now.nanoseconds(since: began) > IdleThread.patienceMilliseconds * 1_000_000 { isPatient = false }
    if let sent, !Socket.wouldBlock(sent) { return sent }
    // Meanwhile it may have been closed, which `write` sees. Or it has become writable since the other thread was told
    // that it is not: nobody waited for that edge, so that only what is tried here may be waited for.
    return channel.isOpen ? send(bytes, from: offset) : 0
  }

  /// Says that no more will be written; reading goes on.
  public func shutdownWrite() {
    guard channel.isOpen else { return }
    _ = tls?.shutdown()
    Socket.shutdownWrite(channel.descriptor)
  }

  /// Wakes whoever waits with ECANCELED. Idempotent.
  public func close() {
    // Without it the peer would have to take what it got for a part.
    if channel.isOpen { _ = tls?.shutdown() }
    twin = nil
    channel.fail(SystemError("close", code: ECANCELED))
  }
}

/// A second descriptor of a socket, for another thread: the first may be closed, and its number be used anew, at any
/// moment.
private final class Twin: Sendable {
  /// No system call is longer than this allows: one of the kernel's is not interrupted for a request either.
  private static let pieceBytes = 32 * 1_024

  private let descriptor: Int32

  init(of socket: Int32) throws(SystemError) { descriptor = try Descriptor.duplicate(of: socket).release() }

  deinit { _ = Descriptor(owning: descriptor) }

  /// What the kernel has taken; an error only if that is nothing.
  func send(_ bytes: [UInt8], from start: Int) -> Int {
    bytes.withUnsafeBytes { bytes in
      var offset = start
      while offset < bytes.count {
        let end = min(offset + Self.pieceBytes, bytes.count)
        let count = Socket.send(descriptor, UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
        if count < 0 { return offset > start ? offset - start : count }
        offset += count
      }
      return offset - start
    }
  }
}

/// Why a connection of the control plane could not be secured.
public struct TLSHandshakeError: Error, Sendable, CustomStringConvertible {
  public let failure: TLSFailure
  public let text: String

  public var description: String { text }
}

/// Accepts connections for the control plane.
@ControlActor
public final class AsyncListener {
  private let channel: AcceptChannel
  /// `nil` for a Unix socket.
  public let address: SocketAddress?

  /// Binds at once; each connection is handed to `onConnection` in a task of its own.
  public convenience init(
    on address: SocketAddress,
    onConnection: @escaping @ControlActor @Sendable (AsyncSocket, SocketAddress?) async -> Void
  ) throws {
    try self.init(descriptor: Socket.listen(on: address, backlog: 256), onConnection: onConnection)
  }

  /// The same on a Unix socket; see `Socket.listen(unixSocket:)`.
  public convenience init(
    unixSocket path: String,
    onConnection: @escaping @ControlActor @Sendable (AsyncSocket, SocketAddress?) async -> Void
  ) throws {
    try self.init(descriptor: Socket.listen(unixSocket: path), onConnection: onConnection)
  }

  /// The same on a socket that listens already.
  public init(
    descriptor: consuming Descriptor,
    onConnection: @escaping @ControlActor @Sendable (AsyncSocket, SocketAddress?) async -> Void
  ) throws {
    address = Socket.localAddress(descriptor.raw)
    channel = AcceptChannel(loop: ControlThread.shared.loop, descriptor: descriptor, onConnection: onConnection)
    try channel.register()
  }

  /// A second descriptor of its socket, for another process; `nil` if it is closed.
  func duplicate() throws(SystemError) -> Descriptor? {
    channel.isOpen ? try Descriptor.duplicate(of: channel.descriptor) : nil
  }

  public func close() {
    // Another process may have the socket too, and the kernel would go on telling us of it.
    if channel.isOpen { _ = channel.detachDescriptor() }
  }
}

/// Confined to the control thread.
private final class AcceptChannel: Channel, @unchecked Sendable {
  private static let retryMilliseconds: UInt64 = 100
  private let onConnection: @ControlActor @Sendable (AsyncSocket, SocketAddress?) async -> Void

  init(
    loop: EventLoop, descriptor: consuming Descriptor,
    onConnection: @escaping @ControlActor @Sendable (AsyncSocket, SocketAddress?) async -> Void
  ) {
    self.onConnection = onConnection
    super.init(loop: loop, descriptor: descriptor)
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) { ready(.readable) }

  override func ready(_ events: ReadyEvents) {
    ControlActor.assumeIsolated {
      while isOpen {
        let (result, peer) = Socket.accept(descriptor)
        guard result >= 0 else {
          // Out of descriptors: the edge is spent, so look again shortly.
          if !Socket.wouldBlock(result) {
            _ = loop.schedule(self, tag: 0, at: loop.now.advanced(byMilliseconds: Self.retryMilliseconds))
          }
          return
        }
        guard let socket = try? AsyncSocket.accepted(Descriptor(owning: Int32(result))) else { return }
        let onConnection = onConnection
        Task { @ControlActor in await onConnection(socket, peer) }
      }
    }
  }
}

/// The channel below `AsyncSocket`: turns edges into resumed continuations. Confined to the control thread.
private final class AsyncChannel: Channel, @unchecked Sendable {
  private var reader: CheckedContinuation<Void, any Error>?
  private var writer: CheckedContinuation<Void, any Error>?
  private var timer = TimerID.none
  private(set) var failure: SystemError?

  @ControlActor func untilReadable() async throws {
    if let failure { throw failure }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        precondition(reader == nil, "two readers")
        reader = continuation
      }
    } onCancel: {
      Task { @ControlActor in fail(SystemError("read", code: ECANCELED)) }
    }
  }

  @ControlActor func untilWritable() async throws {
    if let failure { throw failure }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        precondition(writer == nil, "two writers")
        writer = continuation
      }
    } onCancel: {
      Task { @ControlActor in fail(SystemError("write", code: ECANCELED)) }
    }
  }

  func setDeadline(_ deadline: MonotonicInstant?) {
    loop.cancel(timer)
    timer = deadline.map { loop.schedule(self, tag: 0, at: $0) } ?? .none
  }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) { fail(SystemError("wait", code: ETIMEDOUT)) }

  override func ready(_ events: ReadyEvents) {
    if !events.isDisjoint(with: [.readable, .peerClosed, .hangUp, .error]) {
      reader?.resume()
      reader = nil
    }
    if !events.isDisjoint(with: [.writable, .hangUp, .error]) {
      writer?.resume()
      writer = nil
    }
  }

  func fail(_ error: SystemError) {
    guard failure == nil else { return }
    failure = error
    loop.cancel(timer)
    closeChannel()
    reader?.resume(throwing: error)
    writer?.resume(throwing: error)
    reader = nil
    writer = nil
  }
}
