import CMeshShims
import Glibc
import MeshBase
import Net

/// Keep-alive callers on a thread of their own, each with one request at a time. In steady state it allocates nothing.
///
/// What goes wrong is counted as failed: a status other than 200, a connection that breaks or cannot be made, an answer
/// that does not come within `timeoutNanoseconds`. After another status the connection serves on if it may, so that it
/// costs the router what a good answer costs.
final class LoadGenerator: Load {
  struct Plan: Sendable {
    var port: UInt16
    var connections = 64
    /// Sent in turn.
    var requests: [[UInt8]]
    /// Requests per second over all connections; `nil` for as many as there is time for.
    var rate: Double?
    /// Looks for `Connection: close` in good answers too, and goes on with a new connection.
    var mayBeSentAway = false
  }

  private struct Caller {
    var file: Int32 = -1
    var startedAt: UInt64 = 0
    /// Bytes of the answer's body still to come; -1 while its head is awaited.
    var bodyLeft = -1
    var isBusy = false
    /// Received part of a head.
    var partial: [UInt8] = []
    /// What has come of an answer that is not 200.
    var refusal: String?
    /// Behind the answer the connection is over.
    var isSentAway = false
  }

  static let timeoutNanoseconds: UInt64 = 10_000_000_000
  let tally = LoadTally()
  /// When the request was sent that was answered last by each backend mark; `CLOCK_MONOTONIC` nanoseconds.
  private let lastStarts: Words

  final class Words: @unchecked Sendable {
    let words: UnsafeMutablePointer<UInt64>
    init(_ count: Int) {
      words = .allocate(capacity: count)
      words.initialize(repeating: 0, count: count)
    }
    deinit { words.deallocate() }
  }

  func lastStart(mark: Character) -> UInt64 { mesh_word_load(lastStarts.words + Int(mark.asciiValue ?? 0)) }

  init(_ plan: Plan) throws {
    lastStarts = Words(256)
    let poller = try Poller()
    let engine = Engine(plan, poller: poller, results: self)
    try engine.connectAll()
    let box = Unmanaged.passRetained(engine)
    let bits = UInt(bitPattern: box.toOpaque())
    Thread.start(name: "load") { [self] in
      guard let pointer = UnsafeRawPointer(bitPattern: bits) else { return }
      let engine = Unmanaged<Engine>.fromOpaque(pointer).takeRetainedValue()
      engine.run(until: { self.tally.isStopping })
      tally.end()
    }
  }

  private final class Engine {
    private let plan: Plan
    private let poller: Poller
    private unowned let results: LoadGenerator
    private var callers: [Caller] = []
    /// Index of the caller by descriptor.
    private var byFile: [Int] = []
    private var nextRequest = 0
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 16)
    /// Requests that the rate allows now, and the callers who wait for that.
    private var allowance = 0.0
    private var allowedAt = Clock.now.nanoseconds
    private var idle: [Int] = []

    init(_ plan: Plan, poller: Poller, results: LoadGenerator) {
      self.plan = plan
      self.poller = poller
      self.results = results
    }

    deinit { buffer.deallocate() }

    func connectAll() throws {
      callers = Array(repeating: Caller(), count: plan.connections)
      idle.reserveCapacity(plan.connections)
      for index in callers.indices {
        guard connect(index) else { throw SystemError("connect", subject: "127.0.0.1:\(plan.port)") }
      }
    }

    private func connect(_ index: Int) -> Bool {
      guard let file = Sockets.connect(port: plan.port) else { return false }
      callers[index].file = file
      callers[index].partial.reserveCapacity(1_024)
      while byFile.count <= Int(file) { byFile.append(-1) }
      byFile[Int(file)] = index
      poller.add(file)
      return true
    }

    func run(until stopped: () -> Bool) {
      for index in callers.indices { idle.append(index) }
      var lastLook = Clock.now.nanoseconds
      while !stopped() {
        release()
        poller.wait(milliseconds: plan.rate == nil ? 20 : 1) { file, _ in received(byFile[Int(file)]) }
        let now = Clock.now.nanoseconds
        if now - lastLook > 1_000_000_000 {
          lastLook = now
          for index in callers.indices where isLate(index, now) { fail(index, "no answer in 10 s") }
        }
      }
      let deadline = Clock.now.nanoseconds + Self.graceNanoseconds
      while callers.contains(where: \.isBusy), Clock.now.nanoseconds < deadline {
        poller.wait(milliseconds: 10) { file, _ in received(byFile[Int(file)]) }
      }
      for index in callers.indices {
        if callers[index].isBusy { fail(index, "no answer after the load ended", reconnects: false) }
        if callers[index].file >= 0 { close(callers[index].file) }
      }
    }

    private static let graceNanoseconds: UInt64 = 2_000_000_000

    private func isLate(_ index: Int, _ now: UInt64) -> Bool {
      callers[index].isBusy && now > callers[index].startedAt + LoadGenerator.timeoutNanoseconds
    }

    /// Lets idle callers send what the rate allows.
    private func release() {
      guard let rate = plan.rate else {
        while let index = idle.popLast() { send(index) }
        return
      }
      let now = Clock.now.nanoseconds
      allowance = min(allowance + Double(now - allowedAt) * rate / 1e9, rate / 50 + 1)
      allowedAt = now
      while allowance >= 1, let index = idle.popLast() {
        allowance -= 1
        send(index)
      }
    }

    private func send(_ index: Int) {
      if callers[index].file < 0 && !connect(index) {
        return fail(index, "connect: \(SystemError.text(errno))", reconnects: false)
      }
      let which = nextRequest
      nextRequest = which + 1 == plan.requests.count ? 0 : which + 1
      callers[index].startedAt = Clock.now.nanoseconds
      callers[index].isBusy = true
      callers[index].bodyLeft = -1
      let file = callers[index].file
      let sent = plan.requests[which].withUnsafeBytes { Socket.send(file, $0) }
      if sent < plan.requests[which].count { fail(index, "send: \(SystemError.text(Int32(-sent)))") }
    }

    private func received(_ index: Int) {
      guard index >= 0, callers[index].file >= 0 else { return }
      let count = recv(callers[index].file, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
      if count < 0 && errno == EAGAIN { return }
      guard count > 0 else {
        return callers[index].isBusy ? fail(index, count == 0 ? "closed by the router" : "reset") : hangUp(index)
      }
      guard callers[index].isBusy else { return fail(index, "an answer without a request") }
      var bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      if callers[index].bodyLeft < 0 {
        if callers[index].partial.isEmpty {
          guard let end = bytes.endOfHead(from: 0) else {
            callers[index].partial += bytes
            return
          }
          guard head(index, UnsafeRawBufferPointer(rebasing: bytes[..<end])) else { return }
          bytes = UnsafeRawBufferPointer(rebasing: bytes[end...])
        } else {
          let before = callers[index].partial.count
          callers[index].partial += bytes
          let end = callers[index].partial.withUnsafeBytes { $0.endOfHead(from: max(0, before - 3)) }
          guard let end else { return }
          let whole = callers[index].partial
          callers[index].partial.removeAll(keepingCapacity: true)
          guard whole.withUnsafeBytes({ head(index, UnsafeRawBufferPointer(rebasing: $0[..<end])) }) else { return }
          bytes = UnsafeRawBufferPointer(rebasing: bytes[(end - before)...])
        }
      }
      callers[index].bodyLeft -= bytes.count
      // What the router says about it.
      callers[index].refusal?.append(String(decoding: bytes, as: UTF8.self))
      if callers[index].bodyLeft < 0 { return fail(index, "more than was announced") }
      if callers[index].bodyLeft == 0 { completed(index) }
    }

    /// Reads an answer's head; `false` if that ended the exchange.
    private func head(_ index: Int, _ head: UnsafeRawBufferPointer) -> Bool {
      let isGood = head.count > 12 && head[9] == 0x32 && head[10] == 0x30 && head[11] == 0x30
      guard let length = head.contentLength else {
        fail(index, isGood ? "an answer without a length" : String(decoding: head, as: UTF8.self))
        return false
      }
      callers[index].bodyLeft = length
      if !isGood {
        callers[index].refusal = String(decoding: head, as: UTF8.self)
        return true
      }
      if plan.mayBeSentAway, let word = head.field("connection") {
        callers[index].isSentAway = word.elementsEqual("close".utf8)
      }
      if let mark = head.field("x-backend")?.first {
        let word = results.lastStarts.words + Int(mark)
        if callers[index].startedAt > mesh_word_load(word) { mesh_word_store(word, callers[index].startedAt) }
      }
      return true
    }

    private func completed(_ index: Int) {
      callers[index].isBusy = false
      if let refusal = callers[index].refusal {
        results.tally.refused(refusal, since: callers[index].startedAt)
        callers[index].refusal = nil
        if refusal.lowercased().contains("connection: close") { hangUp(index) }
      } else {
        results.tally.completed(since: callers[index].startedAt)
        if callers[index].isSentAway { hangUp(index) }
      }
      next(index)
    }

    private func next(_ index: Int) {
      if plan.rate == nil && !results.tally.isStopping { send(index) } else { idle.append(index) }
    }

    private func fail(_ index: Int, _ text: @autoclosure () -> String, reconnects: Bool = true) {
      results.tally.failed(text())
      callers[index].isBusy = false
      callers[index].refusal = nil
      hangUp(index)
      if reconnects { idle.append(index) }
    }

    private func hangUp(_ index: Int) {
      if callers[index].file >= 0 { close(callers[index].file) }
      callers[index].file = -1
      callers[index].isSentAway = false
      callers[index].partial.removeAll(keepingCapacity: true)
    }
  }
}

enum Sockets {
  /// A blocking connection to a port of this machine.
  static func connect(port: UInt16) -> Int32? {
    let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard file >= 0 else { return nil }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      close(file)
      return nil
    }
    Socket.setNoDelay(file)
    return file
  }
}
