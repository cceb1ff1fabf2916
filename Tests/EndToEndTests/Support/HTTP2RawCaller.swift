import Foundation

/// A caller that writes frames by hand, as they must or must not be, and reads them back.
final class HTTP2RawCaller {
  struct Frame {
    var type: UInt8
    var flags: UInt8
    var stream: Int
    var payload: [UInt8]

    /// Of RST_STREAM and, from the fifth byte on, GOAWAY.
    var errorCode: Int {
      let bytes = type == 7 ? payload.dropFirst(4) : payload[...]
      return bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }
  }

  let socket: RawSocket

  /// `settings`: pairs of identifier and value.
  init(_ socket: RawSocket, settings: [(Int, Int)] = [], preface: Bool = true) {
    self.socket = socket
    guard preface else { return }
    socket.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    send(4, payload: settings.flatMap { Self.number($0.0, 2) + Self.number($0.1, 4) })
  }

  static func number(_ value: Int, _ bytes: Int) -> [UInt8] {
    (0..<bytes).reversed().map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
  }

  static func frame(_ type: UInt8, _ flags: UInt8 = 0, _ stream: Int = 0, payload: [UInt8] = []) -> [UInt8] {
    number(payload.count, 3) + [type, flags] + number(stream, 4) + payload
  }

  @discardableResult
  func send(_ type: UInt8, _ flags: UInt8 = 0, _ stream: Int = 0, payload: [UInt8] = []) -> Bool {
    socket.send(Self.frame(type, flags, stream, payload: payload))
  }

  /// A field line without compression, below 127 bytes each.
  static func field(_ name: String, _ value: String) -> [UInt8] {
    [0, UInt8(name.utf8.count)] + wire(name) + [UInt8(value.utf8.count)] + wire(value)
  }

  /// The field section of a request.
  static func head(_ authority: String, _ method: String = "GET", fields: [(String, String)] = []) -> [UInt8] {
    ([(":method", method), (":scheme", "http"), (":authority", authority), (":path", "/")] + fields)
      .flatMap { field($0.0, $0.1) }
  }

  func request(stream: Int, _ authority: String, fields: [(String, String)] = [], end: Bool = true) {
    send(1, end ? 0x5 : 0x4, stream, payload: Self.head(authority, fields: fields))
  }

  /// The next frame; nil at the end of the stream.
  func next() -> Frame? {
    let head = socket.read(count: 9)
    guard head.count == 9 else { return nil }
    let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
    let stream = (Int(head[5]) << 24 | Int(head[6]) << 16 | Int(head[7]) << 8 | Int(head[8])) & 0x7fff_ffff
    return Frame(type: head[3], flags: head[4], stream: stream, payload: socket.read(count: length))
  }

  /// The next one of that kind; others are passed over.
  func next(_ isWanted: (Frame) -> Bool) -> Frame? {
    while let frame = next() {
      if isWanted(frame) { return frame }
    }
    return nil
  }

  /// The code of the GOAWAY with which the connection ends; nil if it ends without one, or does not end.
  func goawayCode() -> Int? { next { $0.type == 7 && $0.errorCode != 0 }?.errorCode }
}
