import Glibc

/// A failed system call: which one, on what, and why.
public struct SystemError: Error, CustomStringConvertible, Sendable {
  public let call: StaticString
  public let code: Int32
  /// The path or address it was about; empty if there is none.
  public let subject: String

  public init(_ call: StaticString, code: Int32 = errno, subject: String = "") {
    self.call = call
    self.code = code
    self.subject = subject
  }

  /// A configured address that no socket can be bound to.
  public static func notAnAddress(_ text: String) -> SystemError {
    SystemError("bind", code: EADDRNOTAVAIL, subject: text)
  }

  /// The C library's text for an error number, such as "Connection refused".
  public static func text(_ code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let base = buffer.baseAddress, strerror_r(code, base, buffer.count) == 0 else { return "error \(code)" }
      return String(cString: base)
    }
  }

  public var description: String {
    let text = Self.text(code)
    return subject.isEmpty ? "\(call): \(text)" : "\(subject): \(text) (\(call))"
  }
}

extension SystemError {
  /// Whether a `FileLock` was refused because somebody else has it.
  public var isHeldLock: Bool { code == EWOULDBLOCK }
}

extension SystemError {
  /// Whether a deadline ended the call.
  public var isTimeout: Bool { code == ETIMEDOUT }
}

extension SystemError {
  /// Whether there is nothing at the path.
  public var isMissingFile: Bool { code == ENOENT || code == ENOTDIR }
}

extension SystemError {
  /// Whether the peer broke the connection off.
  public var isReset: Bool { code == ECONNRESET || code == EPIPE }
}

extension SystemError {
  /// Whether whoever waited was told to give up.
  public var isCancelled: Bool { code == ECANCELED }
}
