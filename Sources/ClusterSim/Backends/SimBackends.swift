import HTTP
import MeshBase
import Net

/// Real processes behind the tasks of a cluster, as far as a router can tell: small HTTP servers on addresses of
/// 127.0.0.0/8, all on one thread of their own.
///
/// A GET answers 200 with `X-Task` and `X-Version`. Callable from any thread.
public final class SimBackends: Sendable {
  private enum Command: Sendable {
    case open(SocketAddress, task: String, version: String, Promise<SystemError?>)
    case close(SocketAddress, Promise<Void>)
  }

  private let mailbox: Mailbox<Command>
  /// Of 127.0.0.0/8, the part that is this set's: what other processes listen on does not matter here.
  private let network: UInt32
  private let served = Locked<[String: Int]>([:])

  private static let sets = Locked<UInt32>(0)

  public init() throws {
    let mailbox = try Mailbox<Command>()
    self.mailbox = mailbox
    let set = Self.sets.withLock { sets in
      sets += 1
      return sets
    }
    network = 0x7f00_0000 | (64 + UInt32(truncatingIfNeeded: Host.processID) % 128) << 16 | (set % 128) << 9
    let started = Promise<SystemError?>()
    let served = served
    Thread.start(name: "backends") {
      do throws(SystemError) {
        let loop = try EventLoop()
        let server = BackendSet(loop: loop, served: served)
        try mailbox.attach(to: loop) { command in
          switch command {
          case .open(let address, let task, let version, let promise):
            promise.fulfil(server.open(address, task: task, version: version))
          case .close(let address, let promise):
            server.close(address)
            promise.fulfil(())
          }
        }
        started.fulfil(nil)
        loop.run()
      } catch {
        started.fulfil(error)
      }
    }
    if let error = started.wait() { throw error }
  }

  /// The address of the agent of that number; up to 510 have one of their own.
  public func agentAddress(_ number: Int) -> String {
    let address = network | UInt32(number % 510 + 1)
    return "127.\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
  }

  /// A port that is free there and on which nobody listens yet.
  public func reserve(on ip: String) throws -> SocketAddress {
    guard let address = SocketAddress(ip: ip, port: 0) else { throw SystemError("bind", code: 22, subject: ip) }
    let descriptor = try Socket.listen(on: address, backlog: 1)
    return Socket.localAddress(descriptor.raw) ?? address
  }

  public func open(at address: SocketAddress, task: String, version: String) throws {
    let done = Promise<SystemError?>()
    mailbox.send(.open(address, task: task, version: version, done))
    if let error = done.wait() { throw error }
  }

  /// Connections are refused from now on; those in use are reset.
  public func close(_ address: SocketAddress) {
    let done = Promise<Void>()
    mailbox.send(.close(address, done))
    done.wait()
  }

  /// Requests answered so far, by the version of the task that answered.
  public var requestsByVersion: [String: Int] { served.withLock { $0 } }
}

/// The listeners of all tasks. Confined to the backends' thread.
private final class BackendSet {
  let loop: EventLoop
  private let served: Locked<[String: Int]>
  private var listeners: [SocketAddress: BackendListener] = [:]

  init(loop: EventLoop, served: Locked<[String: Int]>) {
    self.loop = loop
    self.served = served
  }

  func open(_ address: SocketAddress, task: String, version: String) -> SystemError? {
    if listeners[address] != nil { return nil }
    do throws(SystemError) {
      let descriptor = try Socket.listen(on: address)
      let listener = BackendListener(self, descriptor: descriptor, task: task, version: version)
      try listener.register()
      listeners[address] = listener
      return nil
    } catch {
      return error
    }
  }

  func close(_ address: SocketAddress) { listeners.removeValue(forKey: address)?.end() }

  func count(_ version: String) { served.withLock { $0[version, default: 0] += 1 } }
}

private final class BackendListener: Channel {
  let set: BackendSet
  let version: String
  let answer: [UInt8]
  private var connections: [ObjectIdentifier: BackendConnection] = [:]

  init(_ set: BackendSet, descriptor: consuming Descriptor, task: String, version: String) {
    self.set = set
    self.version = version
    let body = "\(task) \(version)\n"
    answer = Array(
      ("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Backend: \(version.last ?? "-")\r\nX-Task: \(task)\r\n"
        + "X-Version: \(version)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)").utf8)
    super.init(loop: set.loop, descriptor: descriptor)
  }

  override func ready(_ events: ReadyEvents) {
    while isOpen {
      let (result, _) = Socket.accept(descriptor)
      if result < 0 { return }
      let connection = BackendConnection(self, descriptor: Descriptor(owning: Int32(result)))
      connections[ObjectIdentifier(connection)] = connection
      try? connection.register()
    }
  }

  func forget(_ connection: BackendConnection) { connections[ObjectIdentifier(connection)] = nil }

  func end() {
    closeChannel()
    for connection in connections.values { connection.reset() }
    connections = [:]
  }
}

/// One connection to a task: bodies are read and dropped, each request gets the same answer.
private final class BackendConnection: Channel {
  private unowned let listener: BackendListener
  private let input = ByteBuffer()
  private let output = ByteBuffer()
  private var head = RequestHead()
  private var bodyLeft: UInt64 = 0
  private static let limits = H1Limits()

  init(_ listener: BackendListener, descriptor: consuming Descriptor) {
    self.listener = listener
    super.init(loop: listener.loop, descriptor: descriptor)
  }

  override func ready(_ events: ReadyEvents) {
    while isOpen {
      let result = Socket.receive(
        descriptor, into: UnsafeMutableRawBufferPointer(rebasing: input.writable(minimum: 16_384)[...]))
      if result > 0 {
        input.didWrite(result)
        process()
      } else if !Socket.wouldBlock(result) {
        return end()
      } else {
        break
      }
    }
    send()
  }

  private func process() {
    while !input.isEmpty {
      if bodyLeft > 0 {
        let count = min(bodyLeft, UInt64(input.count))
        input.consume(Int(count))
        bodyLeft -= count
        if bodyLeft == 0 { answer() }
        continue
      }
      switch head.parse(input.readable, limits: Self.limits) {
      case .needMore: return
      case .failed: return end()
      case .complete: break
      }
      if case .length(let length) = head.framing { bodyLeft = length }
      input.consume(head.length)
      if bodyLeft == 0 { answer() }
    }
  }

  private func answer() {
    let answer = listener.answer
    output.append(answer.span)
    listener.set.count(listener.version)
  }

  private func send() {
    while isOpen, !output.isEmpty {
      let count = Socket.send(descriptor, output.readable)
      if count <= 0 {
        if !Socket.wouldBlock(count) { end() }
        return
      }
      output.consume(count)
    }
  }

  private func end() {
    guard isOpen else { return }
    closeChannel()
    listener.forget(self)
  }

  func reset() {
    guard isOpen else { return }
    Socket.resetOnClose(descriptor)
    closeChannel()
  }
}
