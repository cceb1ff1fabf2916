import Foundation
import HTTP
import TestSupport
import Testing

import class Net.Locked

/// How an exchange ends that does not go well, in every pairing.
@Suite("resets and refusals over HTTP/2")
struct HTTP2FailureTests {
  private static func toH2(_ client: String = "", server: String = "") -> Router {
    do {
      return try Router(router: "client:\n  protocol: h2\n\(client)", server: server)
    } catch {
      fatalError("the router does not start: \(error)")
    }
  }

  private func get(_ name: String, _ method: String = "GET", body: Sending.Body = .none) -> Sending {
    Sending(start: "\(method) / HTTP/1.1", fields: "Host: \(name)\r\n", body: body)
  }

  /// Waits until something is so.
  private func eventually(_ isSo: () -> Bool) -> Bool {
    for _ in 0..<patience(250) {
      if isSo() { return true }
      usleep(20_000)
    }
    return isSo()
  }

  // MARK: Backends that break off

  @Test("a reset before the head is answered with 502", arguments: WireProtocol.allCases)
  func resetBeforeHead(_ caller: WireProtocol) throws {
    let pairing = Pairing(caller: caller, backend: .h2)
    let backend = HTTP2Backend { $0.reset(.internalError) }
    let answer = try pairing.call(get(pairing.router.service(backend.backend), "POST", body: .sized("x")))
    #expect(answer.status == 502 && answer.reasonWord == "relay.reset_by_server" && answer.isWhole)
    #expect(answer.body.contains("INTERNAL_ERROR"))
  }

  @Test(
    "a reset amid the body is passed on as a reset, with its meaning, and never as an end",
    arguments: [
      (HTTP2ErrorCode.cancel, HTTP2ErrorCode.cancel), (.internalError, .internalError), (.noError, .internalError),
      (.enhanceYourCalm, .enhanceYourCalm), (.refusedStream, .internalError), (.protocolError, .internalError),
    ])
  func resetAmidBody(_ sent: HTTP2ErrorCode, _ seen: HTTP2ErrorCode) throws {
    for head in ["Content-Length: 10\r\n", ""] {
      let backend = HTTP2Backend { stream in
        stream.respond("HTTP/1.1 200 OK\r\n\(head)\r\n")
        stream.send("half")
        usleep(50_000)
        stream.reset(sent)
      }
      let name = Pairing(caller: .h2, backend: .h2).router.service(backend.backend)
      let h2 = try Pairing(caller: .h2, backend: .h2).call(get(name))
      #expect(h2.status == 200 && h2.body == "half" && !h2.isWhole && h2.code == seen)
      let h1 = try Pairing(caller: .h1, backend: .h2).call(get(name))
      #expect(h1.status == 200 && !h1.isWhole && h1.end == .reset)
    }
  }

  @Test("a backend of HTTP/1 that breaks off amid the body resets the caller's stream")
  func h1BreaksOff() throws {
    for head in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
      let backend = Backend { connection in
        guard connection.request() != nil else { return }
        connection.socket.send("HTTP/1.1 200 OK\r\n\(head)\r\n\r\n4\r\nha")
        usleep(50_000)
        connection.socket.close()
      }
      let pairing = Pairing(caller: .h2, backend: .h1)
      let answer = try pairing.call(get(pairing.router.service(backend)))
      #expect(answer.status == 200 && !answer.isWhole && answer.code == .internalError)
    }
  }

  // MARK: Refusals

  @Test("what a backend refuses is sent again without the caller's notice", arguments: WireProtocol.allCases)
  func refused(_ caller: WireProtocol) throws {
    let pairing = Pairing(caller: caller, backend: .h2)
    let count = Locked(0)
    let backend = HTTP2Backend { stream in
      let number = count.withLock {
        $0 += 1
        return $0
      }
      if number <= 2 { return stream.reset(.refusedStream) }
      stream.finished()
      stream.answer("HTTP/1.1 200 OK\r\n\r\n", "ok")
    }
    let answer = try pairing.call(get(pairing.router.service(backend.backend)))
    #expect(answer.status == 200 && answer.body == "ok" && answer.isWhole)
    #expect(count.withLock { $0 } == 3)
  }

  @Test("a POST whose body went out is not sent twice, and not told as one that was not processed")
  func refusedPost() throws {
    let pairing = Pairing(caller: .h2, backend: .h2)
    let backend = HTTP2Backend { stream in
      stream.finished()
      stream.reset(.refusedStream)
    }
    let answer = try pairing.call(get(pairing.router.service(backend.backend), "POST", body: .sized("x")))
    #expect(answer.status >= 500 && answer.reasonWord == "relay.refused" && answer.isWhole)
    #expect(backend.requests.count == 1)
  }

  @Test("GOAWAY: what was not processed goes to another connection, what was ends on the old one")
  func goaway() throws {
    let router = Self.toH2()
    let first = Locked<HTTP2Peer.Stream?>(nil)
    let backend = HTTP2Backend { stream in
      let isFirst = first.withLock { held in
        if held != nil { return false }
        held = stream
        return true
      }
      if isFirst { return }
      stream.answer("HTTP/1.1 200 OK\r\n\r\n", "new")
    }
    let name = router.service(backend.backend)
    let caller = try HTTP2Peer(connectingTo: router.port)
    defer { caller.close() }
    let old = caller.request(name)
    #expect(eventually { first.withLock { $0 != nil } })
    // It serves stream 1 and no other.
    backend.connections[0].goaway()
    usleep(100_000)
    #expect(caller.get(name).bodyText == "new")
    #expect(backend.connections.count >= 2)
    first.withLock { $0 }?.answer("HTTP/1.1 200 OK\r\n\r\n", "old")
    #expect(old.finished().bodyText == "old")
  }

  @Test("a connection that is lost amid many streams: what may be sent again is, the rest is answered with 502")
  func lostConnection() throws {
    let router = Self.toH2()
    let isDown = Locked(true)
    let backend = HTTP2Backend { stream in
      stream.finished()
      if isDown.withLock({ $0 }) { return }
      stream.answer("HTTP/1.1 200 OK\r\n\r\n", "ok")
    }
    let name = router.service(backend.backend)
    let caller = try HTTP2Peer(connectingTo: router.port)
    defer { caller.close() }
    let gets = (0..<40).map { _ in caller.request(name) }
    let posts = (0..<40).map { _ in
      let stream = caller.request(name, "POST", end: false)
      stream.send("x")
      stream.end()
      return stream
    }
    #expect(eventually { backend.requests.count(where: { $0.current.hasEnded }) == 80 })
    isDown.withLock { $0 = false }
    for connection in backend.connections { connection.close(reset: true) }
    #expect(gets.allSatisfy { $0.finished().bodyText == "ok" })
    #expect(posts.allSatisfy { $0.finished().status == 502 && $0.current.reasonWord == "relay.reset_by_server" })
  }

  // MARK: Callers that give up

  @Test("a caller's reset cancels the backend's exchange", arguments: WireProtocol.allCases)
  func callerResets(_ protocol: WireProtocol) throws {
    let pairing = Pairing(caller: .h2, backend: `protocol`)
    let ends = Locked<[String]>([])
    let backend: Backend
    switch `protocol` {
    case .h1:
      backend = Backend { connection in
        guard connection.request() != nil else { return }
        if connection.index % 2 == 0 { connection.socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") }
        let end = connection.socket.awaitEnd()
        ends.withLock { $0.append(end == .timeout ? "timeout" : "CANCEL") }
      }
    case .h2:
      backend =
        HTTP2Backend { stream in
          if stream.id % 4 == 1 {
            stream.respond("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            stream.send("half")
          }
          let end = stream.gone()
          ends.withLock { $0.append(end.closed.map(\.description) ?? "timeout") }
        }.backend
    }
    let name = pairing.router.service(backend)
    let caller = try HTTP2Peer(connectingTo: pairing.router.port)
    defer { caller.close() }
    for _ in 0..<4 {
      let stream = caller.request(name)
      usleep(100_000)
      stream.reset(.cancel)
    }
    #expect(eventually { ends.withLock { $0.count } == 4 })
    #expect(ends.withLock { $0 } == Array(repeating: "CANCEL", count: 4))
    // The connection serves on.
    #expect(caller.get(pairing.router.service(pairing.backend { _ in ok })).bodyText == "ok")
  }

  private var ok: Sending { Sending(start: "HTTP/1.1 200 OK", body: .sized("ok")) }

  @Test("an HTTP/1 caller that goes away cancels the stream")
  func h1CallerGoes() throws {
    let pairing = Pairing(caller: .h1, backend: .h2)
    let end = Locked<HTTP2ErrorCode?>(nil)
    let backend = HTTP2Backend { stream in
      let code = stream.gone().closed
      end.withLock { $0 = code }
    }
    let socket = try pairing.router.connect()
    socket.send("GET / HTTP/1.1\r\nHost: \(pairing.router.service(backend.backend))\r\n\r\n")
    #expect(eventually { !backend.requests.isEmpty })
    socket.reset()
    #expect(eventually { end.withLock { $0 } == .cancel })
  }

  // MARK: Early answers

  @Test(
    "an answer amid the request reaches the caller whole, which is then asked to stop", arguments: WireProtocol.allCases
  )
  func earlyAnswer(_ protocol: WireProtocol) throws {
    let pairing = Pairing(caller: .h2, backend: `protocol`)
    let backend: Backend
    switch `protocol` {
    case .h1:
      backend = Backend { connection in
        guard let head = connection.socket.readHead() else { return }
        connection.record(head)
        connection.socket.send("HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge")
        _ = connection.socket.awaitEnd()
      }
    case .h2: backend = HTTP2Backend { $0.answer("HTTP/1.1 413 Too Large\r\n\r\n", "large") }.backend
    }
    let caller = try HTTP2Peer(connectingTo: pairing.router.port)
    defer { caller.close() }
    let stream = caller.request(pairing.router.service(backend), "POST", end: false)
    stream.send("some")
    let answer = stream.gone()
    #expect(answer.status == 413 && answer.bodyText == "large" && answer.hasEnded)
    #expect(answer.closed == .noError)
    // So does the router's own.
    let lost = caller.request("nowhere", "POST", end: false)
    lost.send("some")
    let refusal = lost.gone()
    #expect(refusal.status == 502 && refusal.reasonWord == "bind.neg" && refusal.hasEnded && refusal.closed == .noError)
  }

  @Test("a stream is half closed either way for as long as it likes")
  func halfClosed() throws {
    let pairing = Pairing(caller: .h2, backend: .h2)
    let backend = HTTP2Backend { stream in
      // Answers begin before the request ends, and end after it.
      stream.respond("HTTP/1.1 200 OK\r\n\r\n")
      stream.send("a")
      let request = stream.finished()
      usleep(100_000)
      stream.send("b" + request.bodyText)
      stream.end(trailers: "x-end: 1\r\n")
    }
    let caller = try HTTP2Peer(connectingTo: pairing.router.port)
    defer { caller.close() }
    let stream = caller.request(pairing.router.service(backend.backend), "POST", end: false)
    #expect(stream.wait { $0.bodyBytes == 1 }.bodyText == "a")
    stream.send("hello")
    stream.end()
    let answer = stream.finished()
    #expect(answer.bodyText == "abhello" && answer.isComplete && answer.trailers == "x-end: 1\r\n")
  }

  @Test("a request that fails at once, with its body in the same read: an answer, and the next one")
  func failsAmidRead() throws {
    let router = Pairing(caller: .h2, backend: .h1).router
    let caller = try HTTP2Peer(connectingTo: router.port)
    defer { caller.close() }
    #expect(caller.get("nowhere").status == 502)
    for _ in 0..<50 {
      let post = caller.request("nowhere", "POST", end: false)
      post.send("body")
      post.end()
      #expect(post.gone().status == 502)
    }
    #expect(router.isRunning)
  }

  // MARK: Sizes

  @Test("a header list over the limit is answered with 431, whether as a head or as trailers")
  func tooLarge() throws {
    let router = Pairing(caller: .h2, backend: .h1).router
    let name = router.service(Backend())
    let caller = try HTTP2Peer(connectingTo: router.port)
    defer { caller.close() }
    let long = (0..<40).map { "x-long-\($0): \(String(repeating: "v", count: 1_000))\r\n" }.joined()
    let answer = caller.get(name, fields: long)
    #expect(answer.status == 431 && answer.reasonWord == "decode.too_large")
    let head = caller.request(name, "HEAD", fields: long, end: true).gone()
    #expect(head.status == 431 && head.bodyBytes == 0 && head.hasEnded)
    let post = caller.request(name, "POST", end: false)
    post.send("x")
    post.end(trailers: long)
    #expect(post.gone().status == 431)
    // Trailers of a request that is answered by the router anyway, before or after they come.
    let early = caller.request("nowhere", "POST", end: false)
    early.end(trailers: long)
    #expect([431, 502].contains(early.gone().status))
    // The limit that holds is the one announced, not that of HTTP/1.
    let large = (0..<20).map { "x-long-\($0): \(String(repeating: "v", count: 1_000))\r\n" }.joined()
    #expect(caller.get(name, fields: large).status == 200)
  }

  // MARK: gRPC

  @Test("the router's own answer to a gRPC call is trailers alone")
  func grpcRefusal() throws {
    let router = Pairing(caller: .h2, backend: .h2).router
    let caller = try HTTP2Peer(connectingTo: router.port)
    defer { caller.close() }
    let answer = caller.request("nowhere", "POST", fields: "content-type: application/grpc+proto\r\n").finished()
    #expect(answer.status == 200 && answer.hasEnded && answer.bodyBytes == 0 && answer.trailers.isEmpty)
    #expect(answer["grpc-status"] == "14" && answer["content-type"] == "application/grpc")
    #expect(answer["grpc-message"]?.contains("bind.neg") == true && answer.reasonWord == "bind.neg")
  }

  @Test("trailers-only answers stay so")
  func trailersOnly() throws {
    let router = Pairing(caller: .h2, backend: .h2).router
    let backend = HTTP2Backend { stream in
      stream.respond("HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 5\r\n\r\n", end: true)
    }
    let socket = try RawSocket(connectingTo: router.port)
    let name = router.service(backend.backend)
    // END_STREAM on the frame itself, which the session does not tell.
    let frames = HTTP2RawCaller(socket)
    frames.request(stream: 1, name, fields: [("content-type", "application/grpc"), ("te", "trailers")])
    let head = try #require(frames.next { $0.type == 1 })
    #expect(head.stream == 1 && head.flags & 0x1 != 0)
  }
}
