import MeshBase
import Net

/// Accepts callers for one server on one worker.
final class Listener: Channel {
  /// Whose callers are taken in: another one after a reload.
  private var server: ServerRuntime
  private let worker: Worker
  private var retry = TimerID.none
  /// Callers wait in the kernel until memory is there again.
  private var isHeld = false

  /// Accepts per event before other connections get their turn.
  private static let acceptsPerTurn = 64
  private static let retryMilliseconds: UInt64 = 100

  init(server: ServerRuntime, worker: Worker, descriptor: Int32) throws(SystemError) {
    self.server = server
    self.worker = worker
    super.init(loop: worker.loop, descriptor: Descriptor(owning: descriptor))
    try register()
  }

  var socket: Int { server.socket }

  /// Goes on for a server that has taken the place of the one before on the same socket.
  func serves(_ next: ServerRuntime) {
    if next.configuration.socketOptions.backlog != server.configuration.socketOptions.backlog {
      Socket.setBacklog(descriptor, Int32(next.configuration.socketOptions.backlog))
    }
    server = next
  }

  override func ready(_ events: ReadyEvents) { accept() }

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) { accept() }

  /// Memory is there again.
  func resume() { if isHeld { accept() } }

  private func accept() {
    if worker.isShortOfMemory {
      if !isHeld { server.stats.acceptPaused() }
      isHeld = true
      return
    }
    isHeld = false
    for _ in 0..<Self.acceptsPerTurn {
      guard isOpen else { return }
      let (result, peer) = Socket.accept(descriptor)
      if result < 0 {
        if Socket.wouldBlock(result) { return }
        // Out of descriptors or memory: the edge is spent and callers wait in the kernel, so look again shortly.
        server.stats.acceptPaused()
        worker.acceptPaused(server.address, errno: Int32(-result))
        loop.cancel(retry)
        retry = loop.schedule(self, tag: 0, at: loop.now.advanced(byMilliseconds: Self.retryMilliseconds))
        return
      }
      let descriptor = Descriptor(owning: Int32(result))
      if let limit = server.connectionLimit, !limit.tryEnter() {
        server.stats.connectionRejected()
        server.stats.requestBegan()
        server.stats.requestFailed(.serverMaxConnections, status: 0, microseconds: 0)
        continue
      }
      if server.configuration.socketOptions.keepAlive { Socket.setKeepAlive(descriptor.raw) }
      ServerConnection(server: server, worker: worker, descriptor: descriptor, peer: peer).start()
    }
    loop.deferToEndOfTurn(self)
  }

  /// Takes in who has connected already, then stops listening.
  func close() {
    accept()
    loop.cancel(retry)
    // Another process may have the socket too, and the kernel would go on telling this loop of it.
    if isOpen { _ = detachDescriptor() }
  }
}
