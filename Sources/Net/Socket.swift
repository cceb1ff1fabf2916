import CMeshShims
import Glibc
import MeshBase

/// Socket calls on raw descriptors. Results below zero are negated error numbers, so that the data plane
/// neither throws nor allocates.
public enum Socket {
  /// Bytes received, 0 at end of stream, or -errno.
  @inlinable public static func receive(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    while true {
      let count = mesh_recv(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      let code = errno
      if code != EINTR { return -Int(code) }
    }
  }

  /// Bytes taken by the kernel, or -errno. Never raises SIGPIPE.
  @inlinable public static func send(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer) -> Int {
    while true {
      let count = mesh_send(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 { return count }
      let code = errno
      if code != EINTR { return -Int(code) }
    }
  }

  /// The two buffers as one write, without joining them first.
  @inlinable public static func send(
    _ descriptor: Int32, _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
  ) -> Int {
    withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { vectors in
      vectors[0] = iovec(iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count)
      vectors[1] = iovec(iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count)
      var message = msghdr()
      message.msg_iov = vectors.baseAddress
      message.msg_iovlen = 2
      while true {
        let count = sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
        if count >= 0 { return count }
        let code = errno
        if code != EINTR { return -Int(code) }
      }
    }
  }

  @inlinable public static func wouldBlock(_ result: Int) -> Bool {
    result == -Int(EAGAIN) || result == -Int(EWOULDBLOCK)
  }

  /// Tells the peer that no more will be sent; reading goes on.
  public static func shutdownWrite(_ descriptor: Int32) { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Closing then sends RST instead of FIN, so that a truncated message is not taken for a whole one.
  public static func resetOnClose(_ descriptor: Int32) {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }

  public static func setNoDelay(_ descriptor: Int32) { setFlag(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY) }

  public static func setKeepAlive(_ descriptor: Int32) { setFlag(descriptor, SOL_SOCKET, SO_KEEPALIVE) }

  static func setFlag(_ descriptor: Int32, _ level: Int32, _ option: Int32) {
    var on: Int32 = 1
    setsockopt(descriptor, level, option, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  /// The error that a non-blocking connect ended with; 0 if it succeeded.
  public static func pendingError(_ descriptor: Int32) -> Int32 {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
    return code
  }

  /// A non-blocking listening TCP socket. `port` 0 lets the kernel choose.
  /// `reusePort` lets each worker have a socket of its own on the same address (SO_REUSEPORT).
  public static func listen(
    on address: SocketAddress, backlog: Int32 = 4096, reusePort: Bool = false
  ) throws(SystemError) -> Descriptor {
    let descriptor = try create(domain: address.isIPv4 ? AF_INET : AF_INET6)
    setFlag(descriptor.raw, SOL_SOCKET, SO_REUSEADDR)
    if reusePort { setFlag(descriptor.raw, SOL_SOCKET, SO_REUSEPORT) }
    if !address.isIPv4 { setFlag(descriptor.raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY) }
    let result = address.withSockaddr { bind(descriptor.raw, $0, $1) }
    if result != 0 { throw SystemError("bind", subject: address.description) }
    if Glibc.listen(descriptor.raw, backlog) != 0 { throw SystemError("listen", subject: address.description) }
    return descriptor
  }

  /// Changes how many connections the kernel may hold for a listening socket before they are accepted.
  public static func setBacklog(_ descriptor: Int32, _ backlog: Int32) { _ = Glibc.listen(descriptor, backlog) }

  /// A non-blocking listening Unix socket which its owner alone may use. A file left by a process that is gone is
  /// replaced; one that somebody listens on is EADDRINUSE.
  public static func listen(unixSocket path: String, backlog: Int32 = 256) throws(SystemError) -> Descriptor {
    let descriptor = try create(domain: AF_UNIX)
    var result = try withUnixAddress(path) { bind(descriptor.raw, $0, $1) }
    if result != 0 && errno == EADDRINUSE {
      let probe = try create(domain: AF_UNIX)
      let isUsed = try withUnixAddress(path) { Glibc.connect(probe.raw, $0, $1) } == 0 || errno != ECONNREFUSED
      if isUsed { throw SystemError("bind", code: EADDRINUSE, subject: path) }
      unlink(path)
      result = try withUnixAddress(path) { bind(descriptor.raw, $0, $1) }
    }
    if result != 0 { throw SystemError("bind", subject: path) }
    if chmod(path, 0o600) != 0 { throw SystemError("chmod", subject: path) }
    if Glibc.listen(descriptor.raw, backlog) != 0 { throw SystemError("listen", subject: path) }
    return descriptor
  }

  /// Connects to a Unix socket, which is decided at once.
  public static func connect(unixSocket path: String) throws(SystemError) -> Descriptor {
    let descriptor = try create(domain: AF_UNIX)
    if try withUnixAddress(path, { Glibc.connect(descriptor.raw, $0, $1) }) != 0 {
      throw SystemError("connect", subject: path)
    }
    return descriptor
  }

  private static func withUnixAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws(SystemError) -> Int32 {
    var address = sockaddr_un()
    let bytes = Array(path.utf8)
    // The kernel's limit, with room for the final NUL.
    guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path), !bytes.contains(0) else {
      throw SystemError("bind", code: ENAMETOOLONG, subject: path)
    }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }

  /// Begins to connect; the socket becomes writable when it is decided (`pendingError`).
  public static func connect(to address: SocketAddress, noDelay: Bool = true) throws(SystemError) -> Descriptor {
    let descriptor = try create(domain: address.isIPv4 ? AF_INET : AF_INET6)
    if noDelay { setNoDelay(descriptor.raw) }
    let result = address.withSockaddr { Glibc.connect(descriptor.raw, $0, $1) }
    if result != 0 && errno != EINPROGRESS { throw SystemError("connect", subject: address.description) }
    return descriptor
  }

  /// One waiting connection, non-blocking and with TCP_NODELAY; -errno if there is none.
  public static func accept(_ listener: Int32) -> (result: Int, peer: SocketAddress?) {
    var storage = sockaddr_storage()
    var length = UInt32(MemoryLayout<sockaddr_storage>.size)
    var descriptor: Int32
    repeat {
      descriptor = mesh_accept(listener, &storage, &length)
      // A caller that gave up while it waited is no reason to stop taking the others.
    } while descriptor < 0 && (errno == ECONNABORTED || errno == EINTR)
    if descriptor < 0 { return (-Int(errno), nil) }
    setNoDelay(descriptor)
    return (Int(descriptor), SocketAddress(storage))
  }

  public static func localAddress(_ descriptor: Int32) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    return result == 0 ? SocketAddress(storage) : nil
  }

  /// Whether the kernel has a route to the address; sends nothing.
  public static func hasRoute(to address: SocketAddress) -> Bool {
    let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
    let raw = socket(address.isIPv4 ? AF_INET : AF_INET6, kind, 0)
    guard raw >= 0 else { return false }
    let descriptor = Descriptor(owning: raw)
    // A datagram socket's connect looks for the route and does no more (RFC 6724 §6, rule 1).
    return address.withPort(max(address.port, 1)).withSockaddr { Glibc.connect(descriptor.raw, $0, $1) } == 0
  }

  private static func create(domain: Int32) throws(SystemError) -> Descriptor {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let raw = socket(domain, kind, 0)
    guard raw >= 0 else { throw SystemError("socket") }
    return Descriptor(owning: raw)
  }
}

extension SocketAddress {
  /// Lends the kernel's form of the address.
  func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    if isIPv4 {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(truncatingIfNeeded: low).bigEndian
      return withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
      }
    }
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    withUnsafeMutableBytes(of: &address.sin6_addr) {
      $0.storeBytes(of: high.bigEndian, as: UInt64.self)
      $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
    }
  }

  /// `nil` for other families, such as a Unix socket's.
  init?(_ storage: sockaddr_storage) {
    var storage = storage
    switch Int32(storage.ss_family) {
    case AF_INET:
      self = withUnsafeBytes(of: &storage) { bytes in
        let address = bytes.loadUnaligned(as: sockaddr_in.self)
        return SocketAddress(
          ipv4: UInt32(bigEndian: address.sin_addr.s_addr), port: UInt16(bigEndian: address.sin_port))
      }
    case AF_INET6:
      self = withUnsafeBytes(of: &storage) { bytes in
        let port = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        let high = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        let low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        if high == 0 && low >> 32 == 0xffff { return SocketAddress(ipv4: UInt32(truncatingIfNeeded: low), port: port) }
        return SocketAddress(ipv6High: high, low: low, port: port)
      }
    default:
      return nil
    }
  }
}
