import Foundation

import class Net.Locked

/// A protocol, as a caller or a backend speaks it.
enum Speech: String, CaseIterable, Sendable {
  case h1, h2

  static let pairs = allCases.flatMap { caller in allCases.map { (caller, $0) } }
}

/// A head that came over either protocol.
struct AnyMessage: Sendable {
  var status = 0
  var startLine = ""
  var body = ""
  /// Whole, and not cut off.
  var isWhole = false
  /// The start line and the fields.
  var lines: [String] = []
  private let values: @Sendable (String) -> [String]

  init(_ message: Message) {
    (status, startLine, body, isWhole) = (message.status, message.startLine, message.bodyText, message.isComplete)
    lines = message.head.components(separatedBy: "\r\n")
    values = { message.all($0) }
  }

  init(_ message: HTTP2Message) {
    (status, startLine, body, isWhole) = (message.status, message.startLine, message.bodyText, message.isComplete)
    lines = message.head.components(separatedBy: "\r\n")
    values = { message.all($0) }
  }

  func all(_ name: String) -> [String] { values(name) }
  subscript(_ name: String) -> String? { all(name).first }
}

/// A backend of either protocol that answers every request, once it is whole, with the same fields and body.
struct AnyBackend: Sendable {
  let port: Int
  private let asked: @Sendable () -> [AnyMessage]
  /// They live as long as the tests: a case may hold none of its own to the end.
  private static let kept = Locked<[any Sendable]>([])

  /// `wait`: milliseconds before each answer.
  init(_ speech: Speech, status: Int = 200, fields: String = "", body: String = "ok", wait: UInt32 = 0) {
    let head = "HTTP/1.1 \(status) Status\r\n\(fields)Content-Length: \(body.utf8.count)\r\n\r\n"
    switch speech {
    case .h1:
      let backend = Backend { connection in
        while connection.request() != nil {
          if wait > 0 { usleep(wait * 1_000) }
          connection.socket.send(head + body)
        }
      }
      port = backend.port
      asked = { [unowned backend] in backend.requests.map { AnyMessage($0) } }
      Self.kept.withLock { $0.append(backend) }
    case .h2:
      let heard = Locked<[AnyMessage]>([])
      let backend = HTTP2Backend { stream in
        let request = stream.finished()
        heard.withLock { $0.append(AnyMessage(request)) }
        if wait > 0 { usleep(wait * 1_000) }
        stream.answer(head, body)
      }
      port = backend.port
      asked = { heard.withLock { $0 } }
      Self.kept.withLock { $0.append(backend) }
    }
  }

  /// In the order in which they were whole.
  var requests: [AnyMessage] { asked() }
}

extension Router {
  /// One request over either protocol, on a connection of its own.
  func ask(_ speech: Speech, _ name: String, _ method: String = "GET", fields: String = "", body: String? = nil) throws
    -> AnyMessage?
  {
    let length = body.map { "Content-Length: \($0.utf8.count)\r\n" } ?? ""
    switch speech {
    case .h1:
      let socket = try connect()
      socket.send("\(method) / HTTP/1.1\r\nHost: \(name)\r\n\(fields)\(length)Connection: close\r\n\r\n\(body ?? "")")
      return socket.readResponse(toHead: method == "HEAD").map { AnyMessage($0) }
    case .h2:
      let peer = try HTTP2Peer(connectingTo: port)
      defer { peer.close() }
      let stream = peer.request(name, method, fields: fields + length, end: body == nil)
      if let body {
        stream.send(body)
        stream.end()
      }
      return AnyMessage(stream.finished())
    }
  }

  /// Waits up to 5 s until this holds.
  static func eventually(_ isSo: () throws -> Bool) throws -> Bool {
    for _ in 0..<500 {
      if try isSo() { return true }
      usleep(10_000)
    }
    return try isSo()
  }
}
