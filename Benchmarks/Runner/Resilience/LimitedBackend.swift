import Glibc
import MeshBase
import Net
import Synchronization

/// A backend that serves so many requests at a time, each for a fixed time; more wait in the order in which they came.
/// One thread, HTTP/1.
final class LimitedBackend: Sendable {
  let port: UInt16
  private let slots: Int
  private let serviceNanoseconds: UInt64
  private let stopping = Atomic<Bool>(false)
  private let ended = Promise<Void>()

  init(slots: Int, serviceMilliseconds: Int) throws {
    self.slots = slots
    serviceNanoseconds = UInt64(serviceMilliseconds) * 1_000_000
    let listener = try Socket.listen(on: .loopback(port: 0), backlog: 4_096)
    port = Socket.localAddress(listener.raw)?.port ?? 0
    let raw = listener.release()
    Thread.start(name: "limited-backend") { [self] in
      do {
        var engine = Engine(raw, try Poller(), self)
        engine.run()
      } catch {
        print("backend: \(error)")
      }
      ended.fulfil(())
    }
  }

  func stop() {
    stopping.store(true, ordering: .relaxed)
    ended.wait()
  }

  private struct Engine {
    private struct Connection {
      /// Tells this connection from an earlier one with the same descriptor.
      var number: Int
      var requests = RequestSplitter()
    }
    private struct Answer {
      var due: UInt64
      var file: Int32
      var connection: Int
    }

    private let listener: Int32
    private let poller: Poller
    private unowned let owner: LimitedBackend
    private var connections: [Int32: Connection] = [:]
    /// When each slot is free, in turn: all requests take the same time, so the slot used first is free first.
    private var freeAt: [UInt64]
    private var nextSlot = 0
    /// In order of time.
    private var answers: [Answer] = []
    private var firstAnswer = 0
    private var accepted = 0
    private static let plain = LoadBackend.response(fields: "", body: String(repeating: "x", count: 128))

    init(_ listener: Int32, _ poller: Poller, _ owner: LimitedBackend) {
      self.listener = listener
      self.poller = poller
      self.owner = owner
      freeAt = Array(repeating: 0, count: owner.slots)
      poller.add(listener)
    }

    mutating func run() {
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
      defer { buffer.deallocate() }
      while !owner.stopping.load(ordering: .relaxed) {
        var ready: [Int32] = []
        poller.wait(milliseconds: 1) { file, _ in ready.append(file) }
        for file in ready { if file == listener { accept() } else { receive(file, buffer) } }
        answer()
      }
      for file in connections.keys { close(file) }
      close(listener)
    }

    private mutating func accept() {
      let file = Glibc.accept(listener, nil, nil)
      guard file >= 0 else { return }
      Socket.setNoDelay(file)
      accepted += 1
      connections[file] = Connection(number: accepted)
      poller.add(file)
    }

    private mutating func receive(_ file: Int32, _ buffer: UnsafeMutableRawBufferPointer) {
      let count = recv(file, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
      if count < 0 && errno == EAGAIN { return }
      guard count > 0, var connection = connections.removeValue(forKey: file) else {
        connections[file] = nil
        close(file)
        return
      }
      let now = Clock.now.nanoseconds
      connection.requests.feed(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { _ in
        let due = max(now, freeAt[nextSlot]) + owner.serviceNanoseconds
        freeAt[nextSlot] = due
        nextSlot = nextSlot + 1 == freeAt.count ? 0 : nextSlot + 1
        answers.append(Answer(due: due, file: file, connection: connection.number))
      }
      connections[file] = connection
    }

    private mutating func answer() {
      let now = Clock.now.nanoseconds
      while firstAnswer < answers.count, answers[firstAnswer].due <= now {
        let answer = answers[firstAnswer]
        firstAnswer += 1
        guard connections[answer.file]?.number == answer.connection else { continue }
        Self.plain.withUnsafeBytes { _ = Socket.send(answer.file, $0) }
      }
      if firstAnswer > 65_536 {
        answers.removeFirst(firstAnswer)
        firstAnswer = 0
      }
    }
  }
}
