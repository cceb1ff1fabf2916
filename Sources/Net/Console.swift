import Glibc

/// The process's standard streams and its end, for the command line.
public enum Console {
  public enum Stream: Int32, Sendable {
    case input = 0
    case output = 1
    case error = 2
  }

  /// Writes to standard error as it stands, without a line break of its own.
  public static func writeError(_ text: String) { write(text, to: STDERR_FILENO) }

  /// Writes to standard output, past any buffer. What cannot be written is lost, as the reader has gone.
  public static func write(_ text: String) { write(text, to: STDOUT_FILENO) }

  private static func write(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { bytes in
      var rest = UnsafeRawBufferPointer(bytes)
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count < 0 {
          if errno == EINTR { continue }
          return
        }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
    }
  }

  /// Whether a person reads (or types) there.
  public static func isTerminal(_ stream: Stream) -> Bool { isatty(stream.rawValue) == 1 }

  /// Standard input to its end; throws EFBIG beyond `limit` bytes.
  public static func readInput(limit: Int = 64 << 20) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = read(STDIN_FILENO, &chunk, chunk.count)
      if count == 0 { return bytes }
      if count < 0 {
        if errno == EINTR { continue }
        throw SystemError("read", subject: "standard input")
      }
      bytes.append(contentsOf: chunk[..<count])
      if bytes.count > limit { throw SystemError("read", code: EFBIG, subject: "standard input") }
    }
  }

  /// Ends the process; what was printed is flushed.
  public static func exit(_ status: Int32) -> Never { Glibc.exit(status) }
}
