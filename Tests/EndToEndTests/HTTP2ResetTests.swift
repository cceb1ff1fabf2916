import Foundation
import HTTP
import MeshBase
import TestSupport
import Testing

import class Net.Locked

extension LoadTests {
  /// Streams and connections that end at any moment, from either side, beside h2load which wants its answers.
  ///
  /// MESHROUTER_RESET_SECONDS makes it longer; `scripts/test --sanitize=address --filter HTTP2ResetTests` looks into
  /// the router while it runs.
  @Suite("HTTP/2 with random resets")
  struct HTTP2ResetTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let seconds = environment["MESHROUTER_RESET_SECONDS"].flatMap { Double($0) } ?? 4
    private static let seed =
      environment["MESHROUTER_RESET_SEED"].flatMap { UInt64($0) } ?? UInt64.random(in: 1...1 << 32)
    private static let callers = 6
    private static let big = String(repeating: "0123456789abcdef", count: 20_000)

    /// What backends do, by the target's first segment; the second comes back in the answer.
    private static let targets = ["ok", "big", "slow", "early", "cut", "trailers"]

    private static let h1Backend = Backend { connection in
      while let head = connection.socket.readHead() {
        let parts = head.startLine.split(separator: " ").dropFirst().first?.split(separator: "/") ?? []
        let (kind, id) = (parts.first ?? "ok", parts.last ?? "")
        if kind != "early", let length = head["content-length"].flatMap({ Int($0) }) {
          guard connection.socket.drop(count: length) == length else { return }
        }
        func answer(_ body: String, also: String = "") {
          connection.socket.send(
            "HTTP/1.1 200 OK\r\nX-Id: \(id)\r\n\(also)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
        switch kind {
        case "big": answer(big)
        case "slow":
          usleep(30_000)
          answer("ok")
        case "early":
          // Said, so that no POST that follows is lost with the connection.
          answer("ok", also: "Connection: close\r\n")
          return connection.socket.finish()
        case "cut":
          connection.socket.send("HTTP/1.1 200 OK\r\nX-Id: \(id)\r\nContent-Length: 100\r\n\r\ncut")
          return connection.socket.reset()
        case "trailers":
          connection.socket.send(
            "HTTP/1.1 200 OK\r\nX-Id: \(id)\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Last: \(id)\r\n\r\n")
        default: answer("ok")
        }
      }
    }

    private static let h2Backend = HTTP2Backend { stream in
      let parts = stream.current.startLine.split(separator: " ").dropFirst().first?.split(separator: "/") ?? []
      let (kind, id) = (parts.first ?? "ok", parts.last ?? "")
      if kind != "early" { stream.finished() }
      func head(_ length: Int) -> String { "HTTP/1.1 200 OK\r\nX-Id: \(id)\r\nContent-Length: \(length)\r\n\r\n" }
      switch kind {
      case "big": stream.answer(head(big.utf8.count), big)
      case "slow":
        usleep(30_000)
        stream.answer(head(2), "ok")
      case "early":
        stream.answer(head(2), "ok")
        stream.stopInput()
      case "cut":
        stream.respond(head(100))
        stream.send("cut")
        stream.reset(.internalError)
      case "trailers":
        stream.respond("HTTP/1.1 200 OK\r\nX-Id: \(id)\r\n\r\n")
        stream.send("ok")
        stream.end(trailers: "X-Last: \(id)\r\n")
      default: stream.answer(head(2), "ok")
      }
    }

    /// Answers that were wanted: how many came, and what was wrong with others.
    private struct Tally: Sendable {
      var answered = 0
      var reset = 0
      var wrong: [String] = []
    }

    private static func isRight(_ message: HTTP2Message, _ target: String, _ id: String) -> Bool {
      // Cut off, or an answer of the router's own if it was cut before its head went on.
      if target == "cut" { return !message.isComplete || message.status == 502 }
      // An early answer ends a request that is still being sent.
      guard message.hasHead, message.hasEnded, message.status == 200, message["x-id"] == id else { return false }
      return message.bodyBytes == (target == "big" ? big.utf8.count : 2)
        && (target != "trailers" || message["x-last"] == id)
    }

    /// One connection with some requests on it, each of which may be given up at any point.
    private static func connection(_ port: Int, _ random: inout SeededRandom, _ tally: inout Tally) throws {
      func below(_ bound: UInt64, _ random: inout SeededRandom) -> Int { Int(random.next() % bound) }
      let caller = try HTTP2Peer(connectingTo: port)
      var wanted: [(stream: HTTP2Peer.Stream, target: String, id: String)] = []
      for _ in 0..<(1 + below(40, &random)) {
        let target = targets[below(UInt64(targets.count), &random)]
        let id = "\(random.next())"
        let isPost = below(3, &random) == 0
        let length = isPost ? below(100_000, &random) : 0
        guard
          let stream = caller.open(
            "\(isPost ? "POST" : "GET") /\(target)/\(id) HTTP/1.1\r\nHost: mix\r\n"
              + (isPost ? "Content-Length: \(length)\r\n" : "") + "\r\n", end: !isPost)
        else { break }
        let code: HTTP2ErrorCode = below(2, &random) == 0 ? .cancel : .internalError
        switch below(8, &random) {
        case 0: stream.reset(code)
        case 1:
          stream.send(Array(repeating: 0x62, count: length / 2))
          stream.reset(code)
        case 2:
          stream.send(Array(repeating: 0x62, count: length))
          if isPost { stream.end() }
          stream.wait(seconds: 2) { $0.hasHead }
          stream.reset(code)
        case 3:
          // Nobody reads, then it is given up.
          stream.hold(true)
          stream.send(Array(repeating: 0x62, count: length))
          if isPost { stream.end() }
          usleep(UInt32(below(5_000, &random)))
          stream.reset(code)
        default:
          stream.send(Array(repeating: 0x62, count: length))
          if isPost { stream.end() }
          wanted.append((stream, target, id))
          continue
        }
        tally.reset += 1
      }
      if below(6, &random) == 0 {
        tally.reset += wanted.count
        return caller.close(reset: below(2, &random) == 0)
      }
      for (stream, target, id) in wanted {
        let message = stream.finished(seconds: Double(patience(20)))
        if isRight(message, target, id) {
          tally.answered += 1
        } else {
          tally.wrong.append(
            "/\(target)/\(id): \(message.head)\(message.bodyBytes) bytes, \(String(describing: message.closed))")
        }
      }
      caller.close()
    }

    @Test(
      "every answer that is still wanted comes, right and whole; nothing is left over", arguments: WireProtocol.allCases
    )
    func resets(_ back: WireProtocol) throws {
      print("random resets to \(back): seed \(Self.seed)")
      let router = try Router(
        router: "identifier: {kind: io.l5d.static, path: /mix}\nclient: {protocol: \(back)}")
      router.service("mix", ports: [back == .h1 ? Self.h1Backend.port : Self.h2Backend.port])
      let tally = Locked(Tally())
      let end = Date().addingTimeInterval(Self.seconds)
      let load = Load()
      let port = router.port
      for index in 0..<Self.callers {
        load.start {
          var random = SeededRandom(seed: Self.seed &+ UInt64(index))
          var own = Tally()
          while Date() < end, own.wrong.isEmpty {
            do { try Self.connection(port, &random, &own) } catch { own.wrong.append("\(error)") }
          }
          tally.withLock {
            $0.answered += own.answered
            $0.reset += own.reset
            $0.wrong += own.wrong
          }
        }
      }
      let h2load = Locked<[String]>([])
      if FileManager.default.isExecutableFile(atPath: "/usr/bin/h2load") {
        load.start {
          while Date() < end {
            let arguments = ["-n500", "-c4", "-m20", "http://127.0.0.1:\(port)/ok/1"]
            let output = Tool.run("/usr/bin/h2load", arguments).output
            h2load.withLock { $0.append(output) }
          }
        }
      }
      load.wait()
      let result = tally.withLock { $0 }
      print("random resets to \(back): \(result.answered) answered, \(result.reset) given up")
      #expect(result.answered > 0 && result.reset > 0)
      #expect(result.wrong.isEmpty, "\(result.wrong.prefix(3))")
      for output in h2load.withLock({ $0 }) {
        #expect(output.contains("500 succeeded, 0 failed, 0 errored, 0 timeout"), "\(output)")
      }
      #expect(router.isRunning, "\(router.output)")
      var inFlight = -1
      for _ in 0..<200 {
        inFlight = try AdminPage.sum(router, "meshrouter_client_in_flight")
        if inFlight == 0 { break }
        usleep(20_000)
      }
      #expect(inFlight == 0)
    }
  }
}
