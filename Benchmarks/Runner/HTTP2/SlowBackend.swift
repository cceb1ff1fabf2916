import Glibc
import MeshBase
import Net
import Synchronization

/// A backend that answers each request after a fixed delay, over HTTP/1 or HTTP/2 as the connection begins; one thread.
final class SlowBackend: Sendable {
  let port: UInt16
  private let delayNanoseconds: UInt64
  private let stopping = Atomic<Bool>(false)
  private let ended = Promise<Void>()
  private let waitingMaxCount = Atomic<Int>(0)
  private let connectionCount = Atomic<Int>(0)

  init(delayMilliseconds: Int) throws {
    let listener = try Socket.listen(on: .loopback(port: 0), backlog: 4_096)
    port = Socket.localAddress(listener.raw)?.port ?? 0
    delayNanoseconds = UInt64(delayMilliseconds) * 1_000_000
    let raw = listener.release()
    Thread.start(name: "slow-backend") { [self] in
      do {
        var engine = Engine(raw, try Poller(), self)
        engine.run()
      } catch {
        print("backend: \(error)")
      }
      ended.fulfil(())
    }
  }

  /// The most requests that waited for their answers at one time.
  var waitingMax: Int { waitingMaxCount.load(ordering: .relaxed) }
  /// Connections that were ever accepted.
  var connections: Int { connectionCount.load(ordering: .relaxed) }

  func stop() {
    stopping.store(true, ordering: .relaxed)
    ended.wait()
  }

  private struct Engine {
    private struct Connection {
      /// Tells this connection from an earlier one with the same descriptor.
      var number: Int
      var requests = RequestSplitter()
      var frames: H2FrameSplitter?
      var prefaceLeft = 0
      var isNew = true
      var output: [UInt8] = []
    }
    private struct Answer {
      var due: UInt64
      var file: Int32
      var connection: Int
      /// 0 for HTTP/1.
      var stream: UInt32
    }

    private let listener: Int32
    private let poller: Poller
    private unowned let owner: SlowBackend
    private var connections: [Int32: Connection] = [:]
    /// In order of time: the delay is always the same.
    private var answers: [Answer] = []
    private var firstAnswer = 0
    private var accepted = 0
    private static let plain = LoadBackend.response(fields: "", body: String(repeating: "x", count: 128))
    private static let body = [UInt8](repeating: UInt8(ascii: "x"), count: 128)

    init(_ listener: Int32, _ poller: Poller, _ owner: SlowBackend) {
      self.listener = listener
      self.poller = poller
      self.owner = owner
      poller.add(listener)
    }

    mutating func run() {
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 16)
      defer { buffer.deallocate() }
      while !owner.stopping.load(ordering: .relaxed) {
        var ready: [Int32] = []
        poller.wait(milliseconds: 5) { file, _ in ready.append(file) }
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
      owner.connectionCount.store(accepted, ordering: .relaxed)
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
      var bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      if connection.isNew {
        connection.isNew = false
        if bytes[0] == H2Frames.preface[0] && bytes.count > 1 && bytes[1] == H2Frames.preface[1] {
          connection.frames = H2FrameSplitter()
          connection.prefaceLeft = H2Frames.preface.count
          connection.output = H2Frames.settings((3, 1_000)) + H2Frames.windowUpdate(0, 1 << 30)
        }
      }
      let skipped = min(connection.prefaceLeft, bytes.count)
      connection.prefaceLeft -= skipped
      bytes = UnsafeRawBufferPointer(rebasing: bytes[skipped...])
      let due = Clock.now.nanoseconds + owner.delayNanoseconds
      let number = connection.number
      if var frames = connection.frames {
        frames.feed(bytes) { type, flags, stream, payload in
          switch type {
          case 0, 1:
            guard flags & 1 != 0 else { return }
            answers.append(Answer(due: due, file: file, connection: number, stream: stream))
          case 4 where flags & 1 == 0: connection.output += H2Frames.settingsAcknowledgement
          case 6 where flags & 1 == 0: connection.output += H2Frames.frame(6, 1, 0, Array(payload))
          default: break
          }
        }
        connection.frames = frames
      } else {
        connection.requests.feed(bytes) { _ in
          answers.append(Answer(due: due, file: file, connection: number, stream: 0))
        }
      }
      let waiting = answers.count - firstAnswer
      if waiting > owner.waitingMax { owner.waitingMaxCount.store(waiting, ordering: .relaxed) }
      connections[file] = connection
      flush(file)
    }

    private mutating func answer() {
      let now = Clock.now.nanoseconds
      var touched: Set<Int32> = []
      while firstAnswer < answers.count, answers[firstAnswer].due <= now {
        let answer = answers[firstAnswer]
        firstAnswer += 1
        guard connections[answer.file]?.number == answer.connection else { continue }
        if answer.stream == 0 {
          connections[answer.file]?.output += Self.plain
        } else {
          connections[answer.file]?.output +=
            H2Frames.frame(1, 4, answer.stream, [0x88]) + H2Frames.frame(0, 1, answer.stream, Self.body)
        }
        touched.insert(answer.file)
      }
      if firstAnswer > 65_536 {
        answers.removeFirst(firstAnswer)
        firstAnswer = 0
      }
      for file in touched { flush(file) }
    }

    private mutating func flush(_ file: Int32) {
      guard let count = connections[file]?.output.count, count > 0 else { return }
      let sent = connections[file]?.output.withUnsafeBytes { Socket.send(file, $0) } ?? 0
      if sent > 0 { connections[file]?.output.removeFirst(sent) }
    }
  }
}
