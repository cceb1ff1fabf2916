import Glibc
import MeshBase

/// Where a stream socket listens.
public enum ListeningPlace: Hashable, Sendable, CustomStringConvertible {
  case address(SocketAddress)
  case unixSocket(String)

  public var description: String {
    switch self {
    case .address(let address): "\(address)"
    case .unixSocket(let path): path
    }
  }
}

/// Listening sockets that the process was started with, by systemd or by the process whose place it takes: whoever
/// would bind an address looks here first. What is not taken is closed with the last reference.
public final class InheritedSockets: Sendable {
  public struct Item: Sendable {
    public var descriptor: Int32
    public var name: String
    /// `nil`: it is no stream socket that listens.
    public var place: ListeningPlace?
  }

  private let items: Locked<[Item]>

  /// Takes the descriptors over: they are not passed on to children by accident, and do not block.
  public init(_ table: DescriptorTable) throws(SystemError) {
    var items: [Item] = []
    for entry in table.entries {
      guard fcntl(entry.descriptor, F_SETFD, FD_CLOEXEC) == 0 else {
        throw SystemError("fcntl", subject: "descriptor \(entry.descriptor) of LISTEN_FDS (\(entry.name))")
      }
      let flags = fcntl(entry.descriptor, F_GETFL)
      _ = fcntl(entry.descriptor, F_SETFL, flags | O_NONBLOCK)
      let place = Socket.listeningPlace(entry.descriptor)
      items.append(Item(descriptor: entry.descriptor, name: entry.name, place: place))
    }
    self.items = Locked(items)
  }

  deinit { for item in takeRest() { close(item.descriptor) } }

  /// All sockets that listen there; whoever takes them closes them.
  public func take(_ place: ListeningPlace) -> [Int32] {
    items.withLock { items in
      defer { items.removeAll { $0.place == place } }
      return items.filter { $0.place == place }.map(\.descriptor)
    }
  }

  /// What nobody has taken; likewise.
  public func takeRest() -> [Item] {
    items.withLock { items in
      defer { items = [] }
      return items
    }
  }
}

extension Socket {
  /// `nil` if it is not a stream socket, or does not listen.
  public static func listeningPlace(_ descriptor: Int32) -> ListeningPlace? {
    guard option(descriptor, SO_TYPE) == Int32(SOCK_STREAM.rawValue), option(descriptor, SO_ACCEPTCONN) == 1 else {
      return nil
    }
    if let address = localAddress(descriptor) { return .address(address) }
    var address = sockaddr_un()
    var length = socklen_t(MemoryLayout<sockaddr_un>.size)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    guard result == 0, address.sun_family == sa_family_t(AF_UNIX) else { return nil }
    let path = withUnsafeBytes(of: &address.sun_path) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    return path.isEmpty ? nil : .unixSocket(path)
  }

  /// Whether further sockets may listen on its address (SO_REUSEPORT).
  public static func sharesPort(_ descriptor: Int32) -> Bool { option(descriptor, SO_REUSEPORT) == 1 }

  /// The same for two descriptors of one socket, and for no other socket of this host.
  public static func identity(_ descriptor: Int32) -> UInt64 {
    var cookie: UInt64 = 0
    var length = socklen_t(MemoryLayout<UInt64>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &length)
    return cookie
  }

  private static func option(_ descriptor: Int32, _ name: Int32) -> Int32 {
    var value: Int32 = -1
    var length = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, name, &value, &length)
    return value
  }
}
