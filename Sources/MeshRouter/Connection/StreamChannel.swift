import HTTP
import MeshBase
import Net

/// A byte stream with ordered output: what the kernel does not take at once waits in `outbox`.
///
/// Whoever feeds the stream looks at `isBlocked` after a write and stops reading its own source until
/// `outputDrained()` is called; so at most one read's worth of bytes waits here.
class StreamChannel: Channel {
  /// Strong, though the worker holds its connections too: a `let` is read without reference counting.
  final let worker: Worker
  /// Nil: clear text.
  final let tls: TLSSession?
  /// Only while output waits.
  private final var outbox: ByteBuffer?
  /// The kernel refused output for good; what is written from now on is thrown away.
  private(set) final var isWriteBroken = false
  /// Send FIN as soon as the outbox is empty.
  private final var finWanted = false
  private(set) final var finSent = false

  /// `tls` goes through the same descriptor.
  init(worker: Worker, descriptor: consuming Descriptor, tls: TLSSession? = nil) {
    self.worker = worker
    self.tls = tls
    super.init(loop: worker.loop, descriptor: descriptor)
  }

  /// As `Socket.receive`.
  @inline(__always)
  final func receiveBytes(into target: UnsafeMutableRawBufferPointer) -> Int {
    if let tls { return tls.receive(into: target) }
    return Socket.receive(descriptor, into: target)
  }

  @inline(__always)
  private final func sendBytes(_ bytes: UnsafeRawBufferPointer) -> Int {
    if let tls { return tls.send(bytes, UnsafeRawBufferPointer(start: nil, count: 0)) }
    return Socket.send(descriptor, bytes)
  }

  @inline(__always)
  private final func sendBytes(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Int {
    if let tls { return tls.send(first, second) }
    return Socket.send(descriptor, first, second)
  }

  /// Whether, after a read of `count` bytes into `room`, an event will tell of the next byte.
  @inline(__always)
  final func isDry(after count: Int, of room: Int) -> Bool {
    if let tls { return !tls.hasPending }
    return count < room
  }

  /// Output waits for the kernel.
  final var isBlocked: Bool { outbox != nil }

  /// All waiting output is with the kernel; called from `flushOutput`.
  func outputDrained() {}

  /// The peer does not take output any more (EPIPE, ECONNRESET); called at most once.
  func outputBroke() {}

  final func write(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 0, !isWriteBroken, isOpen else { return }
    if let outbox { return outbox.append(bytes) }
    let sent = sendBytes(bytes)
    if sent == bytes.count { return }
    keepRest(bytes, sent: sent)
  }

  /// Both as one write where the kernel takes them.
  final func write(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) {
    if second.count == 0 { return write(first) }
    if first.count == 0 { return write(second) }
    guard !isWriteBroken, isOpen else { return }
    if let outbox {
      outbox.append(first)
      outbox.append(second)
      return
    }
    let sent = sendBytes(first, second)
    if sent == first.count + second.count { return }
    if sent >= first.count {
      keepRest(second, sent: sent - first.count)
    } else {
      keepRest(first, sent: sent)
      outbox?.append(second)
    }
  }

  private func keepRest(_ bytes: UnsafeRawBufferPointer, sent: Int) {
    if sent < 0 && !Socket.wouldBlock(sent) {
      isWriteBroken = true
      outputBroke()
      return
    }
    let buffer = worker.takeBuffer()
    buffer.append(UnsafeRawBufferPointer(rebasing: bytes[max(0, sent)...]))
    outbox = buffer
  }

  /// Call when the descriptor became writable.
  final func flushOutput() {
    guard isOpen else { return }
    guard let outbox else { return flushRecords() }
    let sent = sendBytes(outbox.readable)
    if sent < 0 {
      if Socket.wouldBlock(sent) { return }
      isWriteBroken = true
      dropOutput()
      return outputBroke()
    }
    outbox.consume(sent)
    guard outbox.isEmpty else { return }
    dropOutput()
    if finWanted { sendFin() }
    outputDrained()
  }

  /// Of TLS: records that the kernel did not take, and that no bytes of ours wait behind.
  private func flushRecords() {
    guard let tls, tls.hasUnsent else { return }
    let result = tls.flush()
    if result < 0 && !Socket.wouldBlock(result) && !isWriteBroken {
      isWriteBroken = true
      outputBroke()
    } else if result == 0 && finSent {
      Socket.shutdownWrite(descriptor)
    }
  }

  /// Tells the peer that no more comes, after what still waits.
  final func finishOutput() {
    guard !finSent, isOpen else { return }
    if outbox != nil {
      finWanted = true
    } else {
      sendFin()
    }
  }

  private func sendFin() {
    finSent = true
    finWanted = false
    // Behind the last record; if the kernel does not take that now, `flushRecords` does it.
    if let tls, tls.shutdown() < 0 { return }
    Socket.shutdownWrite(descriptor)
  }

  final func dropOutput() {
    if let outbox { worker.giveBack(outbox) }
    outbox = nil
  }
}
