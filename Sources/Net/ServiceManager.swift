import Glibc

/// Tells systemd, or whoever else supervises the process, how it is doing: sd_notify(3), without its library.
public struct ServiceManager: Sendable {
  public enum Notice: Sendable, Equatable {
    /// It serves; also the end of a reload.
    case ready
    /// A reload has begun; systemd wants the time on CLOCK_MONOTONIC, so that it can tell reloads apart.
    case reloading(monotonicMicroseconds: UInt64)
    /// It is about to end.
    case stopping
    /// Another process serves from now on.
    case mainProcess(Int32)
    /// One line for people, shown by `systemctl status`.
    case status(String)
  }

  private let path: String

  /// The one that this process was started by; `nil`: there is none that wants to know.
  public static let current = ServiceManager(path: Host.environment("NOTIFY_SOCKET"))

  /// `path` as NOTIFY_SOCKET has it: a file, or a name behind `@`.
  public init?(path: String?) {
    guard let path, path.utf8.count > 1, path.hasPrefix("/") || path.hasPrefix("@") else { return nil }
    self.path = path
  }

  /// What is sent.
  public static func text(_ notices: [Notice]) -> String {
    notices.map { notice in
      switch notice {
      case .ready: "READY=1"
      case .reloading(let time): "RELOADING=1\nMONOTONIC_USEC=\(time)"
      case .stopping: "STOPPING=1"
      case .mainProcess(let id): "MAINPID=\(id)"
      case .status(let text): "STATUS=" + String(text.map { $0.isNewline ? " " : $0 })
      }
    }
    .joined(separator: "\n")
  }

  /// Never waits; false if it could not be told.
  @discardableResult
  public func tell(_ notices: Notice...) -> Bool {
    let raw = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard raw >= 0 else { return false }
    let descriptor = Descriptor(owning: raw)
    var address = sockaddr_un()
    var name = Array(path.utf8)
    guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
    // An abstract name begins with a zero byte, and its length counts.
    if name[0] == UInt8(ascii: "@") { name[0] = 0 }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
    let text = Array(Self.text(notices).utf8)
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor.raw, text, text.count, Int32(MSG_NOSIGNAL), $0, length) == text.count
      }
    }
  }
}
