import Glibc
import MeshBase
import Net

/// Callers of HTTP/2 by prior knowledge on a thread of their own, each with many streams at a time.
///
/// What goes wrong is counted as failed: a status other than 200, a reset, a connection that ends, an answer that never
/// comes. Time to the end of each answer is recorded.
final class H2Load: Load {
  struct Plan: Sendable {
    var port: UInt16
    var connections = 4
    /// Streams that each connection may have open.
    var streams = 32
    var host = "web"
    /// Requests per second over all connections; `nil` for as many as the streams allow.
    var rate: Double?
    /// A connection that is told GOAWAY without an error ends behind its open streams, and another one goes on.
    var mayBeSentAway = false
  }

  let tally = LoadTally()

  init(_ plan: Plan) throws {
    var files: [Int32] = []
    for _ in 0..<plan.connections {
      guard let file = Sockets.connect(port: plan.port) else {
        throw SystemError("connect", subject: "127.0.0.1:\(plan.port)")
      }
      files.append(file)
    }
    Thread.start(name: "h2-load") { [self, files] in
      do {
        let poller = try Poller()
        var engine = Engine(plan, files, poller, tally)
        engine.run()
      } catch {
        tally.failed("\(error)")
      }
      tally.end()
    }
  }

  private struct Engine {
    private struct Connection {
      var file: Int32
      var splitter = H2FrameSplitter()
      var nextStream: UInt32 = 1
      /// When the request of each open stream was due.
      var open: [UInt32: UInt64] = [:]
      var output: [UInt8] = []
      /// Bytes of bodies since the connection's window was last moved.
      var received: UInt32 = 0
      var isOver = false
      /// GOAWAY has come: no more streams.
      var isSentAway = false
    }

    /// How long answers that are due may take once the load is to end.
    private static let graceNanoseconds: UInt64 = 20_000_000_000
    private let plan: Plan
    private let poller: Poller
    private let tally: LoadTally
    private let head: [UInt8]
    private var connections: [Connection]
    private var byFile: [Int32: Int] = [:]
    private var allowance = 0.0
    private var allowedAt = Clock.now.nanoseconds
    private var turn = 0

    init(_ plan: Plan, _ files: [Int32], _ poller: Poller, _ tally: LoadTally) {
      self.plan = plan
      self.poller = poller
      self.tally = tally
      head = H2Frames.head(plan.host)
      connections = files.map { Connection(file: $0) }
      for (index, file) in files.enumerated() {
        byFile[file] = index
        poller.add(file)
        connections[index].output = H2Frames.preface + H2Frames.settings() + H2Frames.windowUpdate(0, 1 << 30)
      }
    }

    mutating func run() {
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 16)
      defer { buffer.deallocate() }
      var deadline: UInt64?
      while true {
        let isStopping = tally.isStopping
        if isStopping {
          deadline = deadline ?? Clock.now.nanoseconds + Self.graceNanoseconds
          if connections.allSatisfy(\.open.isEmpty) || Clock.now.nanoseconds > deadline ?? 0 { break }
        } else {
          openStreams()
        }
        if plan.mayBeSentAway && !isStopping { replaceThoseSentAway() }
        for index in connections.indices { flush(index) }
        var ready: [Int32] = []
        poller.wait(milliseconds: plan.rate == nil ? 20 : 1) { file, _ in ready.append(file) }
        for file in ready { if let index = byFile[file] { receive(index, buffer) } }
      }
      for connection in connections where !connection.isOver {
        if !connection.open.isEmpty {
          tally.failed("no answer after the load ended", count: UInt64(connection.open.count))
        }
        close(connection.file)
      }
    }

    private mutating func openStreams() {
      guard let rate = plan.rate else {
        for index in connections.indices where takesStreams(index) {
          while connections[index].open.count < plan.streams { open(index, Clock.now.nanoseconds) }
        }
        return
      }
      // Open loop: what the rate allows is sent whether or not answers came, while streams are free.
      let now = Clock.now.nanoseconds
      allowance = min(allowance + Double(now - allowedAt) * rate / 1e9, rate / 50 + 1)
      allowedAt = now
      while allowance >= 1 {
        allowance -= 1
        turn = (turn + 1) % connections.count
        if takesStreams(turn), connections[turn].open.count < plan.streams { open(turn, now) }
      }
    }

    private func takesStreams(_ index: Int) -> Bool { !connections[index].isOver && !connections[index].isSentAway }

    /// For each connection that takes no more streams a new one; what is over goes.
    private mutating func replaceThoseSentAway() {
      connections.removeAll { $0.isOver }
      let missing = plan.connections - connections.count { !$0.isSentAway }
      for _ in 0..<max(0, missing) {
        guard let file = Sockets.connect(port: plan.port) else {
          tally.failed("connect: \(SystemError.text(errno))")
          continue
        }
        poller.add(file)
        connections.append(Connection(file: file))
        connections[connections.count - 1].output =
          H2Frames.preface + H2Frames.settings() + H2Frames.windowUpdate(0, 1 << 30)
      }
      byFile = [:]
      for (index, connection) in connections.enumerated() { byFile[connection.file] = index }
    }

    private mutating func open(_ index: Int, _ now: UInt64) {
      let stream = connections[index].nextStream
      connections[index].nextStream += 2
      connections[index].open[stream] = now
      connections[index].output += H2Frames.frame(1, 5, stream, head)
    }

    private mutating func flush(_ index: Int) {
      guard !connections[index].output.isEmpty, !connections[index].isOver else { return }
      let sent = connections[index].output.withUnsafeBytes { Socket.send(connections[index].file, $0) }
      if sent > 0 { connections[index].output.removeFirst(sent) }
    }

    private mutating func receive(_ index: Int, _ buffer: UnsafeMutableRawBufferPointer) {
      let count = recv(connections[index].file, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
      if count < 0 && errno == EAGAIN { return }
      guard count > 0 else { return over(index, count == 0 ? "closed by the router" : "reset") }
      var splitter = connections[index].splitter
      connections[index].splitter = H2FrameSplitter()
      splitter.feed(UnsafeRawBufferPointer(rebasing: buffer[..<count])) { take(index, $0, $1, $2, $3) }
      connections[index].splitter = splitter
    }

    private mutating func take(
      _ index: Int, _ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: UnsafeRawBufferPointer
    ) {
      switch type {
      case 0, 1:
        if type == 0 {
          connections[index].received += UInt32(payload.count)
          if connections[index].received > 1 << 20 {
            connections[index].output += H2Frames.windowUpdate(0, connections[index].received)
            connections[index].received = 0
          }
        } else if payload.first != 0x88, connections[index].open[stream] != nil {
          // `:status: 200` is the static table's entry 8.
          connections[index].open[stream] = nil
          let bytes = payload.prefix(8).map { String($0, radix: 16) }.joined(separator: " ")
          return tally.failed("a head that is not 88, for status 200, but \(bytes)")
        }
        if flags & 1 != 0, let start = connections[index].open.removeValue(forKey: stream) {
          tally.completed(since: start)
        }
      case 3:
        if connections[index].open.removeValue(forKey: stream) != nil {
          tally.failed("stream \(stream) was reset with code \(H2Frames.number(payload, 0))")
        }
      case 4 where flags & 1 == 0: connections[index].output += H2Frames.settingsAcknowledgement
      case 6 where flags & 1 == 0: connections[index].output += H2Frames.frame(6, 1, 0, Array(payload))
      case 7 where plan.mayBeSentAway && H2Frames.number(payload, 4) == 0:
        connections[index].isSentAway = true
        // Those that the router says it has not seen.
        let last = H2Frames.number(payload, 0) & 0x7fff_ffff
        let unseen = connections[index].open.keys.filter { $0 > last }
        for stream in unseen { connections[index].open[stream] = nil }
        if !unseen.isEmpty { tally.failed("GOAWAY left streams out", count: UInt64(unseen.count)) }
      case 7: over(index, "GOAWAY with code \(H2Frames.number(payload, 4))")
      default: break
      }
    }

    private mutating func over(_ index: Int, _ text: String) {
      guard !connections[index].isOver else { return }
      connections[index].isOver = true
      let isExpected = connections[index].isSentAway && connections[index].open.isEmpty
      if !isExpected && (!tally.isStopping || !connections[index].open.isEmpty) {
        tally.failed(text, count: max(1, UInt64(connections[index].open.count)))
      }
      connections[index].open = [:]
      byFile[connections[index].file] = nil
      close(connections[index].file)
    }
  }
}
