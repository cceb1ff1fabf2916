import CMeshShims
import Glibc
import MeshBase
import Net
import Synchronization

/// Backends that answer, fail or keep silent as they are told; all on one thread, each with a port of its own.
final class FaultyBackends: Sendable {
  enum Behaviour: UInt64 {
    case healthy
    /// 500 to every request.
    case failing
    /// 500 to half of the requests, at random.
    case failingHalf
    /// Accepts connections and requests, and never answers.
    case silent
  }

  let ports: [UInt16]
  /// By backend: its behaviour, set by the bar and read by the thread; and its requests, the other way round.
  private let behaviours: LoadGenerator.Words
  private let requests: LoadGenerator.Words
  private let stopping = Atomic<Bool>(false)
  private let ended = Promise<Void>()

  init(_ count: Int, _ behaviour: Behaviour = .healthy, seed: UInt64 = 1) throws {
    behaviours = LoadGenerator.Words(count)
    requests = LoadGenerator.Words(count)
    let listeners = try (0..<count).map { _ in try Socket.listen(on: .loopback(port: 0), backlog: 1_024).release() }
    ports = listeners.map { Socket.localAddress($0)?.port ?? 0 }
    for index in 0..<count { behave(behaviour, at: index) }
    Thread.start(name: "backends") { [self] in
      do {
        var engine = try Engine(listeners, seed: seed, owner: self)
        engine.run()
      } catch {
        print("backends: \(error)")
      }
      ended.fulfil(())
    }
  }

  /// What a backend does with requests that come from now on.
  func behave(_ behaviour: Behaviour, at index: Int) {
    mesh_word_store(behaviours.words + index, behaviour.rawValue)
  }

  func behaveAll(_ behaviour: Behaviour) {
    for index in ports.indices { behave(behaviour, at: index) }
  }

  /// Requests that have come to a backend.
  func requests(at index: Int) -> UInt64 { mesh_word_load(requests.words + index) }

  var allRequests: UInt64 { ports.indices.reduce(0) { $0 + requests(at: $1) } }

  /// Closes the ports and all connections; returns when that is done.
  func stop() {
    stopping.store(true, ordering: .relaxed)
    ended.wait()
  }

  private struct Engine {
    private let listeners: [Int32]
    private unowned let owner: FaultyBackends
    private let poller: Poller
    private var random: SeededRandom
    /// The backend that a descriptor belongs to, -1 without one.
    private var backendOfFile: [Int] = []
    private var partial: [Int32: RequestSplitter] = [:]
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 16)
    private static let good = LoadBackend.response(fields: "", body: String(repeating: "x", count: 128))
    private static let bad = Array(
      ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 128\r\n\r\n" + String(repeating: "x", count: 128)).utf8)

    init(_ listeners: [Int32], seed: UInt64, owner: FaultyBackends) throws {
      self.listeners = listeners
      self.owner = owner
      poller = try Poller()
      random = SeededRandom(seed: seed)
      for (index, file) in listeners.enumerated() { add(file, to: index) }
    }

    private mutating func add(_ file: Int32, to backend: Int) {
      while backendOfFile.count <= Int(file) { backendOfFile.append(-1) }
      backendOfFile[Int(file)] = backend
      poller.add(file)
    }

    mutating func run() {
      while !owner.stopping.load(ordering: .relaxed) {
        var ready: [Int32] = []
        poller.wait(milliseconds: 20) { file, _ in ready.append(file) }
        for file in ready { received(file) }
      }
      for (file, backend) in backendOfFile.enumerated() where backend >= 0 { close(Int32(file)) }
      buffer.deallocate()
    }

    private mutating func received(_ file: Int32) {
      let backend = backendOfFile[Int(file)]
      guard backend >= 0 else { return }
      if listeners[backend] == file {
        let accepted = accept(file, nil, nil)
        guard accepted >= 0 else { return }
        Socket.setNoDelay(accepted)
        return add(accepted, to: backend)
      }
      let count = recv(file, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
      if count < 0 && errno == EAGAIN { return }
      guard count > 0 else {
        backendOfFile[Int(file)] = -1
        partial[file] = nil
        close(file)
        return
      }
      let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
      if partial.isEmpty || partial[file] == nil, RequestSplitter.isOneBodilessRequest(bytes) {
        return answer(file, backend)
      }
      var splitter = partial[file] ?? RequestSplitter()
      var complete = 0
      splitter.feed(bytes) { _ in complete += 1 }
      partial[file] = splitter.isBetweenRequests ? nil : splitter
      for _ in 0..<complete { answer(file, backend) }
    }

    private mutating func answer(_ file: Int32, _ backend: Int) {
      mesh_word_add(owner.requests.words + backend, 1)
      let behaviour = Behaviour(rawValue: mesh_word_load(owner.behaviours.words + backend)) ?? .healthy
      if behaviour == .silent { return }
      let isGood = behaviour == .healthy || (behaviour == .failingHalf && random.next() & 1 == 0)
      (isGood ? Self.good : Self.bad).withUnsafeBytes { _ = Socket.send(file, $0) }
    }
  }
}
