import Foundation

/// A relay that makes the way between a port and its callers long and narrow: each byte comes so much later, and only so
/// many in a second. Like a link's routers it holds little: who sends more waits.
final class LongLink: Sendable {
  let port: Int
  private let listener: Int32

  /// One way, in both directions.
  static let delayMilliseconds = 20.0

  init(to target: Int, bytesPerSecond: Double) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    self.listener = listener
    port = Backend.bindAndListen(listener, port: 0)
    Thread {
      while true {
        let descriptor = accept(listener, nil, nil)
        guard descriptor >= 0 else { return }
        guard let near = Optional(RawSocket(owning: descriptor)), let far = try? RawSocket(connectingTo: target) else {
          continue
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        Direction(from: near, to: far, bytesPerSecond).start()
        Direction(from: far, to: near, bytesPerSecond).start()
      }
    }.start()
  }

  deinit {
    shutdown(listener, Int32(SHUT_RDWR))
    Glibc.close(listener)
  }

  private final class Direction: @unchecked Sendable {
    private let from: RawSocket
    private let to: RawSocket
    private let bytesPerSecond: Double
    private let condition = NSCondition()
    /// Guarded by `condition`. An empty piece is the end.
    private var pieces: [(due: Double, bytes: [UInt8])] = []
    private var waitingBytes = 0
    private let waitingBytesMax: Int

    init(from: RawSocket, to: RawSocket, _ bytesPerSecond: Double) {
      self.from = from
      self.to = to
      self.bytesPerSecond = bytesPerSecond
      // What is under way, and a little queue.
      waitingBytesMax = Int(bytesPerSecond * LongLink.delayMilliseconds / 1_000) + 1 << 18
    }

    func start() {
      Thread { self.read() }.start()
      Thread { self.write() }.start()
    }

    private static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

    private func read() {
      while true {
        let bytes = from.receiveSome() ?? []
        condition.lock()
        pieces.append((Self.now + LongLink.delayMilliseconds / 1_000, bytes))
        waitingBytes += bytes.count
        condition.broadcast()
        while waitingBytes > waitingBytesMax { condition.wait() }
        condition.unlock()
        if bytes.isEmpty { return }
      }
    }

    private func write() {
      /// When the link has carried all that was written so far.
      var free = Self.now
      while true {
        condition.lock()
        while pieces.isEmpty { condition.wait() }
        let (due, bytes) = pieces.removeFirst()
        condition.unlock()
        let start = max(due, free)
        let pause = start - Self.now
        if pause > 0 { usleep(UInt32(pause * 1e6)) }
        // A sleep that was too long is made good, but no more than that.
        free = max(start, Self.now - 0.005) + Double(bytes.count) / bytesPerSecond
        guard !bytes.isEmpty, to.send(bytes) else { break }
        condition.lock()
        waitingBytes -= bytes.count
        condition.broadcast()
        condition.unlock()
      }
      to.finish()
      condition.lock()
      waitingBytes = 0
      condition.broadcast()
      condition.unlock()
    }
  }
}
