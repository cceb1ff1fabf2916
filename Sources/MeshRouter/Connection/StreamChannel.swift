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
  /// Only while output waits.
  private final var outbox: ByteBuffer?
  /// The kernel refused output for good; what is written from now on is thrown away.
  private(set) final var isWriteBroken = false
  /// Send FIN as soon as the outbox is empty.
  private final var finWanted = false
  private(set) final var finSent = false

  init(worker: Worker, descriptor: consuming Descriptor) {
    self.worker = worker
    super.init(loop: worker.loop, descriptor: descriptor)
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
    let sent = Socket.send(descriptor, bytes)
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
    let sent = Socket.send(descriptor, first, second)
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
    guard let outbox, isOpen else { return }
    let sent = Socket.send(descriptor, outbox.readable)
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
    Socket.shutdownWrite(descriptor)
  }

  final func dropOutput() {
    if let outbox { worker.giveBack(outbox) }
    outbox = nil
  }
}
