import CAres
import MeshBase
import Net

/// One c-ares channel, driven by the control loop: its sockets are watched through duplicates of their descriptors,
/// its time-outs by one timer.
@ControlActor
final class AresDriver {
  enum Family: Hashable {
    case ipv4
    case ipv6
  }

  enum Answer: Equatable {
    /// Addresses with port 0; the time to live is the smallest of the answer's.
    case addresses([SocketAddress], seconds: Int)
    /// The server says for certain that there are none.
    case none(String)
    case failed(String)
  }

  private static let addressesMax = 1_024
  private static let classInternet: Int32 = 1  // RFC 1035 §3.2.4
  private static let typeA: Int32 = 1
  private static let typeAAAA: Int32 = 28  // RFC 3596 §2.1

  private var channel: OpaquePointer?
  private var watches: [Int32: (readable: AresSocket?, writable: AresSocket?)] = [:]
  private lazy var timer = ControlTimer { [weak self] in self?.process(readable: -1, writable: -1) }
  private var queries = 0
  private var isRetired = false
  /// Domains to try a short name in, from resolv.conf.
  private(set) var searchDomains: [String] = []
  /// Names with fewer dots are tried in the search domains first.
  private(set) var dotsMin = 1

  /// `servers` empty: those of the file at `resolvConf`. Throws the text of what c-ares said.
  init(
    servers: [SocketAddress], resolvConf: String, attemptTimeoutMilliseconds: Int, attempts: Int
  ) throws(ResolverError) {
    var options = ares_options()
    options.timeout = Int32(clamping: attemptTimeoutMilliseconds)
    options.tries = Int32(clamping: attempts)
    options.sock_state_cb_data = Unmanaged.passUnretained(self).toOpaque()
    options.sock_state_cb = { data, socket, readable, writable in
      nonisolated(unsafe) let data = data
      ControlActor.assumeIsolated {
        guard let data else { return }
        Unmanaged<AresDriver>.fromOpaque(data).takeUnretainedValue()
          .watch(socket, readable: readable != 0, writable: writable != 0)
      }
    }
    let mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF
    // The path is copied.
    let status = resolvConf.withCString { path in
      options.resolvconf_path = UnsafeMutablePointer(mutating: path)
      return ares_init_options(&channel, &options, mask)
    }
    guard status == ARES_SUCCESS, let channel else { throw ResolverError(Self.text(status)) }
    if !servers.isEmpty {
      let list = servers.map(\.description).joined(separator: ",")
      let status = ares_set_servers_ports_csv(channel, list)
      guard status == ARES_SUCCESS else {
        ares_destroy(channel)
        self.channel = nil
        throw ResolverError("name servers \(list): \(Self.text(status))")
      }
    } else {
      readSearchList()
    }
  }

  isolated deinit { destroy() }

  private func readSearchList() {
    var options = ares_options()
    var mask: Int32 = 0
    guard ares_save_options(channel, &options, &mask) == ARES_SUCCESS else { return }
    defer { ares_destroy_options(&options) }
    dotsMin = Int(options.ndots)
    guard let domains = options.domains else { return }
    for index in 0..<Int(options.ndomains) {
      if let domain = domains[index] { searchDomains.append(String(cString: domain)) }
    }
  }

  /// Asks for one name as it stands. `done` is called once, perhaps before this returns.
  func query(_ name: String, _ family: Family, _ done: @escaping @ControlActor (Answer) -> Void) {
    ask(name, type: family == .ipv4 ? Self.typeA : Self.typeAAAA) { status, bytes, count in
      done(Self.answer(status, bytes, count, family))
    }
  }

  /// The message is lent for the call; there is none where the status is not success.
  typealias Received = @ControlActor (_ status: Int32, _ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int32) -> Void

  /// Asks for records of one type. `done` is called once, perhaps before this returns.
  func ask(_ name: String, type: Int32, _ done: @escaping Received) {
    guard let channel else { return done(ARES_EDESTRUCTION, nil, 0) }
    queries += 1
    let query = Unmanaged.passRetained(Query(driver: self, done: done))
    ares_query(
      channel, name, Self.classInternet, type,
      { argument, status, _, bytes, count in
        nonisolated(unsafe) let argument = argument
        nonisolated(unsafe) let bytes = bytes
        ControlActor.assumeIsolated {
          guard let argument else { return }
          let query = Unmanaged<Query>.fromOpaque(argument).takeRetainedValue()
          query.done(status, bytes, count)
          // Last: a channel must not be destroyed in its own callback.
          query.driver.queries -= 1
        }
      }, query.toOpaque())
    setTimer()
    destroyIfIdle()
  }

  /// No more queries will come; the channel ends when those under way have.
  func retire() {
    isRetired = true
    destroyIfIdle()
  }

  private final class Query {
    let driver: AresDriver
    let done: Received
    init(driver: AresDriver, done: @escaping Received) {
      self.driver = driver
      self.done = done
    }
  }

  static func text(_ status: Int32) -> String { String(cString: ares_strerror(status)) }

  private static func answer(
    _ status: Int32, _ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int32, _ family: Family
  ) -> Answer {
    switch status {
    case ARES_SUCCESS: break
    case ARES_ENOTFOUND: return .none("no such name (NXDOMAIN)")
    case ARES_ENODATA: return .none("the name has no \(family == .ipv4 ? "A" : "AAAA") record")
    default: return .failed(text(status))
    }
    let (parsed, addresses, seconds) = family == .ipv4 ? parseA(bytes, count) : parseAAAA(bytes, count)
    switch parsed {
    case ARES_SUCCESS:
      if addresses.isEmpty { return .none("the name has no \(family == .ipv4 ? "A" : "AAAA") record") }
      return .addresses(addresses, seconds: seconds)
    case ARES_ENODATA: return .none("the name has no \(family == .ipv4 ? "A" : "AAAA") record")
    default: return .failed("malformed answer: \(text(parsed))")
    }
  }

  private static func parseA(
    _ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int32
  ) -> (Int32, [SocketAddress], seconds: Int) {
    withUnsafeTemporaryAllocation(of: ares_addrttl.self, capacity: addressesMax) { records in
      var found = Int32(records.count)
      let status = ares_parse_a_reply(bytes, count, nil, records.baseAddress, &found)
      guard status == ARES_SUCCESS else { return (status, [], 0) }
      let records = records[..<Int(found)]
      let addresses = records.map { SocketAddress(ipv4: UInt32(bigEndian: $0.ipaddr.s_addr), port: 0) }
      return (status, addresses, Int(records.map(\.ttl).min() ?? 0))
    }
  }

  private static func parseAAAA(
    _ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int32
  ) -> (Int32, [SocketAddress], seconds: Int) {
    withUnsafeTemporaryAllocation(of: ares_addr6ttl.self, capacity: addressesMax) { records in
      var found = Int32(records.count)
      let status = ares_parse_aaaa_reply(bytes, count, nil, records.baseAddress, &found)
      guard status == ARES_SUCCESS else { return (status, [], 0) }
      let records = records[..<Int(found)]
      let addresses = records.map { record in
        withUnsafeBytes(of: record.ip6addr) {
          SocketAddress(
            ipv6High: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)), port: 0)
        }
      }
      return (status, addresses, Int(records.map(\.ttl).min() ?? 0))
    }
  }

  /// c-ares tells which events it wants of a socket; neither means that it is about to close it.
  private func watch(_ socket: Int32, readable: Bool, writable: Bool) {
    var watch = watches[socket] ?? (nil, nil)
    if readable != (watch.readable != nil) {
      watch.readable?.end()
      watch.readable = readable ? AresSocket(self, socket, .readable) : nil
    }
    if writable != (watch.writable != nil) {
      watch.writable?.end()
      watch.writable = writable ? AresSocket(self, socket, .writable) : nil
    }
    watches[socket] = readable || writable ? watch : nil
  }

  fileprivate func process(readable: Int32, writable: Int32) {
    guard let channel else { return }
    ares_process_fd(channel, readable, writable)
    setTimer()
    destroyIfIdle()
  }

  private func setTimer() {
    guard let channel else { return timer.cancel() }
    var buffer = timeval()
    guard let next = ares_timeout(channel, nil, &buffer) else { return timer.cancel() }
    let milliseconds = next.pointee.tv_sec * 1_000 + (Int(next.pointee.tv_usec) + 999) / 1_000
    timer.set(milliseconds: UInt64(max(1, milliseconds)))
  }

  private func destroyIfIdle() { if isRetired && queries == 0 { destroy() } }

  private func destroy() {
    guard let channel else { return }
    self.channel = nil
    timer.cancel()
    ares_destroy(channel)
  }
}

/// One kind of readiness of one of c-ares' sockets.
///
/// Works on a duplicate descriptor, because c-ares closes its own; taken out of the loop before that happens, for an
/// epoll registration would outlive it. Confined to the control thread.
private final class AresSocket: Channel, @unchecked Sendable {
  private weak var driver: AresDriver?
  private let socket: Int32
  private let interest: ReadyEvents

  @ControlActor init?(_ driver: AresDriver, _ socket: Int32, _ interest: ReadyEvents) {
    guard let duplicate = try? Descriptor.duplicate(of: socket) else { return nil }
    self.driver = driver
    self.socket = socket
    self.interest = interest
    super.init(loop: ControlThread.shared.loop, descriptor: duplicate)
    // Without events the query times out and says so.
    if (try? register(levels: interest)) == nil { return nil }
  }

  override func ready(_ events: ReadyEvents) {
    ControlActor.assumeIsolated {
      driver?.process(readable: interest == .readable ? socket : -1, writable: interest == .writable ? socket : -1)
    }
  }

  func end() { if isOpen { _ = detachDescriptor() } }
}
