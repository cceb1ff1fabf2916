import Foundation
import HTTP
import Testing

import class Net.Locked

enum WireProtocol: String, Sendable, CaseIterable { case h1, h2 }

/// What the caller speaks and what the backend speaks.
struct Pairing: Sendable, CustomTestStringConvertible {
  var caller: WireProtocol
  var backend: WireProtocol

  static let all = WireProtocol.allCases.flatMap { caller in
    WireProtocol.allCases.map { Pairing(caller: caller, backend: $0) }
  }
  var testDescription: String { "\(caller) to \(backend)" }

  /// One router for each protocol of backends, for all cases that need no configuration of their own.
  var router: Router { backend == .h1 ? Self.toH1 : Self.toH2 }
  private static let toH1 = start("h1")
  private static let toH2 = start("h2")
  private static func start(_ word: String) -> Router {
    do {
      return try Router(router: "client: {protocol: \(word)}", server: "allowConnect: true\nclearContext: false")
    } catch {
      fatalError("the router does not start: \(error)")
    }
  }
}

/// A message as one side sends it, in either protocol.
struct Sending: Sendable {
  enum Body: Sendable {
    case none
    /// With Content-Length.
    case sized(String)
    /// Chunked over HTTP/1.
    case open(String)
  }

  var start: String
  /// Lines with their CRLF.
  var fields = ""
  var body = Body.none
  var trailers = ""
  /// 1xx heads that go before a response.
  var informational: [String] = []

  /// The head in the form that both protocols' writers take.
  private func head(_ wire: WireProtocol) -> String {
    let framing =
      switch body {
      case .none: ""
      case .sized(let text): "Content-Length: \(text.utf8.count)\r\n"
      case .open: wire == .h1 ? "Transfer-Encoding: chunked\r\n" : ""
      }
    return "\(start)\r\n\(fields)\(framing)\r\n"
  }

  private var bytes: String {
    switch body {
    case .none: ""
    case .sized(let text), .open(let text): text
    }
  }

  func send(_ socket: RawSocket) {
    for head in informational { socket.send(head) }
    socket.send(head(.h1))
    if case .open(let text) = body {
      if !text.isEmpty { socket.send(String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n") }
      socket.send("0\r\n\(trailers)\r\n")
    } else {
      socket.send(bytes)
    }
  }

  private var isAllInHead: Bool { if case .none = body { trailers.isEmpty } else { false } }

  func send(_ stream: HTTP2Peer.Stream) {
    for head in informational { stream.inform(head) }
    stream.respond(head(.h2), end: isAllInHead)
    sendRest(stream)
  }

  func open(_ peer: HTTP2Peer) -> HTTP2Peer.Stream? {
    let stream = peer.open(head(.h2), end: isAllInHead)
    if let stream { sendRest(stream) }
    return stream
  }

  private func sendRest(_ stream: HTTP2Peer.Stream) {
    if isAllInHead { return }
    stream.send(bytes)
    stream.end(trailers: trailers.isEmpty ? nil : trailers)
  }
}

/// A message as it arrived.
struct Arrived: Sendable {
  var head = ""
  var body = ""
  var trailers = ""
  var informational: [String] = []
  var isWhole = false
  /// How an HTTP/1 connection or an HTTP/2 stream that was cut off ended.
  var end: StreamEnd?
  var code: HTTP2ErrorCode?

  init() {}

  init(_ message: Message) {
    head = message.head
    body = message.bodyText
    trailers = message.trailers
    isWhole = message.isComplete
  }

  init(_ message: HTTP2Message) {
    head = message.head
    body = message.bodyText
    trailers = message.trailers
    informational = message.informational
    isWhole = message.isComplete
    code = message.closed
  }

  var startLine: String { head.components(separatedBy: "\r\n").first ?? "" }
  var status: Int { Int(startLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }

  func all(_ name: String) -> [String] {
    head.components(separatedBy: "\r\n").dropFirst().compactMap { line in
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts[0].lowercased() == name.lowercased() else { return nil }
      return parts[1].trimmingCharacters(in: .whitespaces)
    }
  }
  subscript(_ name: String) -> String? { all(name).first }
  var reasonWord: String? { self["l5d-err"].map { String($0.prefix { $0 != ";" }) } }
}

extension Pairing {
  /// A backend that answers each request, once it is whole, with what `answer` makes of it.
  func backend(answering answer: @escaping @Sendable (Arrived) -> Sending) -> Backend {
    switch backend {
    case .h1:
      Backend { connection in
        while let request = connection.request() { answer(Arrived(request)).send(connection.socket) }
      }
    case .h2:
      HTTP2Backend { stream in
        let request = stream.finished()
        if request.hasEnded { answer(Arrived(request)).send(stream) }
      }.backend
    }
  }

  /// One request on a connection of its own, and its answer.
  func call(_ request: Sending, router: Router? = nil) throws -> Arrived {
    let port = (router ?? self.router).port
    switch caller {
    case .h1:
      let socket = try RawSocket(connectingTo: port)
      request.send(socket)
      var informational: [String] = []
      while let message = socket.readResponse(toHead: request.start.hasPrefix("HEAD ")) {
        if message.status < 200 && message.status != 101 {
          informational.append(message.head)
          continue
        }
        var arrived = Arrived(message)
        arrived.informational = informational
        if !arrived.isWhole { arrived.end = socket.end }
        return arrived
      }
      var arrived = Arrived()
      arrived.end = socket.end
      return arrived
    case .h2:
      let peer = try HTTP2Peer(connectingTo: port)
      defer { peer.close() }
      return Arrived(try #require(request.open(peer)).finished())
    }
  }

  /// One request answered by one backend: what each side saw.
  func exchange(_ request: (String) -> Sending, _ answer: Sending) throws -> (request: Arrived, answer: Arrived) {
    let seen = Locked<[Arrived]>([])
    let name = router.service(
      backend {
        arrived in
        seen.withLock { $0.append(arrived) }
        return answer
      })
    let result = try call(request(name))
    let requests = seen.withLock { $0 }
    #expect(requests.count == 1)
    return (requests.first ?? Arrived(), result)
  }
}
