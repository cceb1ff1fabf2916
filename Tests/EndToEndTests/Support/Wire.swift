import Foundation
import TestSupport

/// Bytes and text one to one: each character of the text is one byte (ISO 8859-1).
func wire(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

func text(_ bytes: some Sequence<UInt8>) -> String {
  var result = String.UnicodeScalarView()
  for byte in bytes { result.append(Unicode.Scalar(byte)) }
  return String(result)
}

/// How a byte stream came to its end.
enum StreamEnd: Equatable {
  case fin, reset, timeout
}

/// A blocking TCP socket with a time limit on each read.
final class RawSocket: @unchecked Sendable {
  private(set) var descriptor: Int32
  private var buffer: [UInt8] = []
  private(set) var end: StreamEnd?
  var timeoutMilliseconds: Int32 = 10_000

  init(owning descriptor: Int32) { self.descriptor = descriptor }

  init(connectingTo port: Int, receiveBuffer: Int32? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    if var size = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    var address = RawSocket.loopback(port)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else {
      let code = errno
      Glibc.close(descriptor)
      descriptor = -1
      throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO)
    }
  }

  /// Over TLS, which the `openssl` command speaks for this end: it stands between the socket and the port.
  init(securelyTo port: Int, application: String, arguments: [String] = []) throws {
    var pair: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
      throw POSIXError(.EMFILE)
    }
    descriptor = pair[0]
    let end = FileHandle(fileDescriptor: pair[1], closeOnDealloc: true)
    let process = SpawnedProcess()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments =
      ["s_client", "-connect", "127.0.0.1:\(port)", "-noservername", "-alpn", application, "-quiet"] + arguments
    process.standardInput = end
    process.standardOutput = end
    process.standardError = FileHandle.nullDevice
    try process.run()
    // It must not outlive the connection: its own end is the only one.
    try? end.close()
  }

  deinit { close() }

  static func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
  }

  /// False if the peer does not take it.
  @discardableResult func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { return false }
      sent += count
    }
    return true
  }

  @discardableResult func send(_ string: String) -> Bool { send(wire(string)) }

  /// One write per piece, with a pause between them that lets each arrive alone.
  @discardableResult func send(pieces: [String], pauseMilliseconds: UInt32 = 15) -> Bool {
    for (index, piece) in pieces.enumerated() {
      if index > 0 { usleep(pauseMilliseconds * 1_000) }
      if !send(piece) { return false }
    }
    return true
  }

  func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Ends both directions; whoever reads from it at present gets the end of the stream.
  func cut() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  func close() {
    guard descriptor >= 0 else { return }
    Glibc.close(descriptor)
    descriptor = -1
  }

  /// Closes with RST.
  func reset() {
    guard descriptor >= 0 else { return }
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    close()
  }

  /// Takes in what comes next; false at the end of the stream.
  private func fill() -> Bool {
    guard end == nil else { return false }
    var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while true {
      let ready = poll(&poller, 1, timeoutMilliseconds)
      if ready < 0 && errno == EINTR { continue }
      if ready == 0 {
        end = .timeout
        return false
      }
      break
    }
    var chunk = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &chunk, chunk.count, 0)
    if count > 0 {
      buffer += chunk[..<count]
      return true
    }
    end = count == 0 ? .fin : .reset
    return false
  }

  /// Up to and with the delimiter, or what there is when the stream ends before it (`nil` if that is nothing).
  func read(until delimiter: String) -> [UInt8]? {
    let wanted = wire(delimiter)
    var from = 0
    while true {
      if buffer.count >= wanted.count {
        for start in from...(buffer.count - wanted.count)
        where buffer[start] == wanted[0] && Array(buffer[start..<(start + wanted.count)]) == wanted {
          let result = Array(buffer[..<(start + wanted.count)])
          buffer.removeFirst(result.count)
          return result
        }
        from = buffer.count - wanted.count + 1
      }
      if !fill() { return nil }
    }
  }

  /// Exactly so many, or fewer at the end of the stream.
  func read(count: Int) -> [UInt8] {
    while buffer.count < count, fill() {}
    let result = Array(buffer.prefix(count))
    buffer.removeFirst(result.count)
    return result
  }

  func readToEnd() -> [UInt8] {
    while fill() {}
    defer { buffer = [] }
    return buffer
  }

  /// What has come within the time; the stream may go on.
  func readFor(milliseconds: Int32) -> [UInt8] {
    let usual = timeoutMilliseconds
    timeoutMilliseconds = milliseconds
    while fill() {}
    timeoutMilliseconds = usual
    if end == .timeout { end = nil }
    defer { buffer = [] }
    return buffer
  }

  /// Reads and drops so many bytes; how many there were.
  func drop(count: Int) -> Int {
    var dropped = 0
    while dropped < count {
      let now = min(buffer.count, count - dropped)
      buffer.removeFirst(now)
      dropped += now
      if dropped < count && !fill() { break }
    }
    return dropped
  }

  /// Waits for the end of the stream, dropping what comes before it.
  func awaitEnd() -> StreamEnd {
    while fill() { buffer = [] }
    return end ?? .timeout
  }
}

/// A request or response as it was on the wire.
struct Message {
  var startLine = ""
  var fields: [(name: String, value: String)] = []
  /// The head with its blank line.
  var head = ""
  var body: [UInt8] = []
  var trailers = ""
  /// Whether the framing says that all of it has come.
  var isComplete = false

  var bodyText: String { text(body) }
  var status: Int { Int(startLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }

  subscript(_ name: String) -> String? {
    fields.first { $0.name.lowercased() == name.lowercased() }?.value
  }

  func all(_ name: String) -> [String] { fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value) }

  /// The failure's word in `l5d-err`.
  var reasonWord: String? { self["l5d-err"].map { String($0.prefix { $0 != ";" }) } }
}

extension RawSocket {
  /// `nil` when the stream ends before a whole head has come.
  func readHead() -> Message? {
    guard let bytes = read(until: "\r\n\r\n") else { return nil }
    var message = Message()
    message.head = text(bytes)
    // By scalars: CRLF is one Character.
    let lines = message.head.dropLastScalars(4).components(separatedBy: "\r\n")
    message.startLine = lines[0]
    message.fields = lines.dropFirst().map { line in
      let colon = line.firstIndex(of: ":") ?? line.endIndex
      let value = line[colon...].dropFirst()
      return (String(line[..<colon]), value.trimmingCharacters(in: CharacterSet(charactersIn: " \t")))
    }
    return message
  }

  private func readBody(of message: inout Message, untilClose: Bool) {
    if message["transfer-encoding"]?.lowercased() == "chunked" {
      while true {
        guard let line = read(until: "\r\n"),
          let size = Int(text(line).prefix { $0.isHexDigit }, radix: 16)
        else { return }
        if size == 0 { break }
        let data = read(count: size)
        message.body += data
        guard data.count == size, read(count: 2) == [13, 10] else { return }
      }
      while true {
        guard let line = read(until: "\r\n") else { return }
        if line.count == 2 { break }
        message.trailers += text(line)
      }
      message.isComplete = true
    } else if let length = message["content-length"].flatMap({ Int($0) }) {
      message.body = read(count: length)
      message.isComplete = message.body.count == length
    } else if untilClose {
      message.body = readToEnd()
      message.isComplete = end == .fin
    } else {
      message.isComplete = true
    }
  }

  /// The next response, which may be a 1xx.
  func readResponse(toHead isHead: Bool = false) -> Message? {
    guard var message = readHead() else { return nil }
    let status = message.status
    if isHead || status < 200 || status == 204 || status == 304 {
      message.isComplete = true
    } else {
      readBody(of: &message, untilClose: true)
    }
    return message
  }

  func readRequest() -> Message? {
    guard var message = readHead() else { return nil }
    readBody(of: &message, untilClose: false)
    return message
  }
}

extension String {
  func dropLastScalars(_ count: Int) -> String { String(unicodeScalars.dropLast(count)) }
}
