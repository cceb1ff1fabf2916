import COpenSSL
import Glibc

/// The descriptor as OpenSSL sees it: a BIO that reads from the kernel and never refuses to write.
///
/// Records that the kernel does not take wait in an outbox, which exists only while there are any. So a write of
/// OpenSSL's is never left half done, and its caller need not repeat it byte for byte.
struct TLSTransport {
  let descriptor: Int32
  /// OpenSSL was told that there is nothing to read now.
  private(set) var isBlocked = false
  /// The kernel gave less than was asked for, so an edge will tell of more.
  private(set) var isDry = false
  private var mayAssumeDry = false
  /// The kernel was not asked when OpenSSL was told that there is nothing.
  private(set) var wasAssumed = false
  private(set) var sawEnd = false
  /// Of a read or write that failed; 0: none did.
  private(set) var errorNumber: Int32 = 0
  /// Records are kept instead of sent one by one.
  var isHolding = false
  /// What is kept could go out, and waits for an answer to go with.
  var awaitsCompany = false
  /// While a `send` of many records runs: where they are put together.
  var gathering: UnsafeMutableRawPointer?
  private(set) var gathered = 0

  private var outbox: UnsafeMutableRawPointer?
  private var outboxCapacity = 0
  private var outboxStart = 0
  private var outboxEnd = 0
  /// What may wait: one `send`, and answers to a peer that asks for new keys again and again without reading any.
  private static let outboxBytesMax = 256 << 10

  init(descriptor: Int32) { self.descriptor = descriptor }

  var hasUnsent: Bool { outboxEnd > outboxStart }
  var unsentBytes: Int { outboxEnd - outboxStart }

  /// Before each call of OpenSSL's that may read. `mayAssumeDry`: a short read is the last one of the call.
  mutating func begin(mayAssumeDry: Bool) {
    isBlocked = false
    isDry = false
    wasAssumed = false
    self.mayAssumeDry = mayAssumeDry
  }

  /// What was assumed before may be wrong by now: ask the kernel.
  mutating func askKernel() {
    isBlocked = false
    wasAssumed = false
    mayAssumeDry = false
  }

  /// -1: blocked or failed; else as `recv`.
  mutating func read(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    if isDry && mayAssumeDry {
      isBlocked = true
      wasAssumed = true
      return -1
    }
    let count = Socket.receive(descriptor, into: buffer)
    if count > 0 {
      isDry = count < buffer.count
      return count
    }
    if count == 0 {
      sawEnd = true
      return 0
    }
    if Socket.wouldBlock(count) {
      isDry = true
      isBlocked = true
    } else {
      errorNumber = Int32(-count)
    }
    return -1
  }

  /// Takes everything, or fails for good.
  mutating func write(_ buffer: UnsafeRawBufferPointer) -> Bool {
    if hasUnsent || isHolding { return keep(buffer) }
    if let gathering {
      if gathered + buffer.count > TLSWorkspace.outputBytesMax && !emit() { return false }
      if hasUnsent { return keep(buffer) }
      (gathering + gathered).copyMemory(from: buffer.baseAddress!, byteCount: buffer.count)
      gathered += buffer.count
      return true
    }
    return sendOrKeep(buffer)
  }

  /// Hands what was gathered to the kernel; what it does not take goes to the outbox. False: the connection is lost.
  mutating func emit() -> Bool {
    guard let gathering, gathered > 0 else { return true }
    let buffer = UnsafeRawBufferPointer(start: gathering, count: gathered)
    gathered = 0
    return sendOrKeep(buffer)
  }

  private mutating func sendOrKeep(_ buffer: UnsafeRawBufferPointer) -> Bool {
    let count = Socket.send(descriptor, buffer)
    if count == buffer.count { return true }
    if count < 0 && !Socket.wouldBlock(count) {
      errorNumber = Int32(-count)
      return false
    }
    return keep(UnsafeRawBufferPointer(rebasing: buffer[max(0, count)...]))
  }

  private mutating func keep(_ buffer: UnsafeRawBufferPointer) -> Bool {
    guard unsentBytes + buffer.count <= Self.outboxBytesMax else {
      errorNumber = ENOBUFS
      return false
    }
    if outboxEnd + buffer.count > outboxCapacity {
      let capacity = max(1_024, unsentBytes + buffer.count)
      let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
      if let outbox {
        larger.copyMemory(from: outbox + outboxStart, byteCount: unsentBytes)
        outbox.deallocate()
      }
      outboxEnd -= outboxStart
      outboxStart = 0
      outbox = larger
      outboxCapacity = capacity
    }
    (outbox! + outboxEnd).copyMemory(from: buffer.baseAddress!, byteCount: buffer.count)
    outboxEnd += buffer.count
    return true
  }

  /// 0 when nothing waits any more, `-EAGAIN` when the kernel is full, else the error that the connection was lost by.
  mutating func flush() -> Int {
    guard hasUnsent, let outbox else { return 0 }
    let count = Socket.send(descriptor, UnsafeRawBufferPointer(start: outbox + outboxStart, count: unsentBytes))
    if count < 0 {
      if !Socket.wouldBlock(count) { errorNumber = Int32(-count) }
      return count
    }
    outboxStart += count
    if hasUnsent { return -Int(EAGAIN) }
    release()
    return 0
  }

  mutating func release() {
    outbox?.deallocate()
    outbox = nil
    outboxCapacity = 0
    outboxStart = 0
    outboxEnd = 0
  }

  // MARK: BIO

  /// BIO_METHOD.
  private static nonisolated(unsafe) let method: OpaquePointer = {
    _ = OpenSSLMemory.hasSlots
    let kind = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
    guard let method = BIO_meth_new(kind, "descriptor") else { preconditionFailure("BIO_meth_new: no memory") }
    BIO_meth_set_read_ex(method) { bio, bytes, length, count in
      guard let bio, let bytes, let count, let session = TLSTransport.session(bio) else { return 0 }
      mesh_bio_clear_retry(bio)
      if session.failure != nil { return 0 }
      let result = session.transport.read(UnsafeMutableRawBufferPointer(start: bytes, count: length))
      count.pointee = max(0, result)
      if result > 0 { return 1 }
      if session.transport.isBlocked { mesh_bio_retry_read(bio) }
      return 0
    }
    BIO_meth_set_write_ex(method) { bio, bytes, length, count in
      guard let bio, let bytes, let count, let session = TLSTransport.session(bio) else { return 0 }
      mesh_bio_clear_retry(bio)
      guard session.transport.write(UnsafeRawBufferPointer(start: bytes, count: length)) else { return 0 }
      count.pointee = length
      return 1
    }
    BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
    BIO_meth_set_create(method) { bio in
      BIO_set_init(bio, 1)
      return 1
    }
    return method
  }()

  /// Its data is to be the workspace, which outlives it.
  static func makeBIO() -> OpaquePointer {
    guard let bio = BIO_new(method) else { preconditionFailure("BIO_new: no memory") }
    return bio
  }

  /// The session that has called OpenSSL.
  static func session(_ bio: OpaquePointer) -> TLSSession? {
    guard let raw = BIO_get_data(bio) else { return nil }
    return Unmanaged<TLSWorkspace>.fromOpaque(raw)._withUnsafeGuaranteedRef { $0.current }
  }
}
