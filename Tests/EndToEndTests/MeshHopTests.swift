import Foundation
import TestSupport
import Testing

/// The pair of configurations in dtabs/, as two processes on one host.
@Suite("mesh hop", .serialized)
struct MeshHopTests {
  private func vias(_ echo: String) -> [String] {
    echo.components(separatedBy: "\r\n").filter { $0.lowercased().hasPrefix("via:") }.map { String($0.dropFirst(5)) }
  }

  @Test("both protocols cross in HTTP/2 with TLS and are themselves again behind it; context survives")
  func hop() throws {
    let mesh = try Mesh()
    for _ in 0..<500 where !mesh.outgoing.output.contains("listens on") { usleep(10_000) }
    #expect(mesh.incoming.output.contains("listens on https://127.0.0.1:\(mesh.meshPort)"))
    #expect(mesh.outgoing.output.contains("listens on http://127.0.0.1:\(mesh.port)"))

    let one = mesh.ask(["--http1.1", "-H", "Host: a", "-d", "body one"])
    #expect(one.hasSuffix("body one [200 1.1]"), "\(one)")
    #expect(vias(one) == ["1.1 meshrouter", "2 meshrouter", "1.1 meshrouter"], "\(one)")
    #expect(one.contains("l5d-orig-proto: HTTP/1.1"))
    let two = mesh.ask(["--http2-prior-knowledge", "-H", "Host: a", "-d", "body two"])
    #expect(two.hasSuffix("body two [200 2]"), "\(two)")
    #expect(vias(two) == ["2 meshrouter", "2 meshrouter", "2 meshrouter"], "\(two)")
    #expect(!two.contains("l5d-orig-proto"))
    // Each router on the way could have said it.
    let head = mesh.ask(["-H", "Host: a", "-I"])
    #expect(head.components(separatedBy: "l5d-success-class: 1.0").count == 2, "\(head)")

    for version in ["--http1.1", "--http2-prior-knowledge"] {
      // Span, parent, trace 0102030405060708 and flags.
      let trace = Data([0, 0, 0, 0, 0, 0, 0, 9] + [0, 0, 0, 0, 0, 0, 0, 8] + Array(1...8) + [0, 0, 0, 0, 0, 0, 0, 6])
      let deadline = "AAAAAAAAAAEAAAAAAAAAAg=="
      let echo = mesh.ask([
        version, "-H", "Host: a", "-H", "l5d-dtab: /svc/a => /svc/b", "-H", "l5d-ctx-deadline: \(deadline)", "-H",
        "l5d-ctx-trace: \(trace.base64EncodedString())",
      ])
      #expect(echo.contains("[200"), "\(echo)")
      #expect(echo.contains("l5d-ctx-deadline: \(deadline)"))
      #expect(echo.contains("l5d-reqid: 0102030405060708"), "\(echo)")
      // The override was in force at each of the routers, the last of which says where it led.
      #expect(echo.contains("l5d-ctx-dtab: /svc/a=>/svc/b") || echo.contains("l5d-ctx-dtab: /svc/a => /svc/b"))
      #expect(echo.contains("l5d-dst-client: /#/io.l5d.fs/b"), "\(echo)")
    }
  }

  @Test("large bodies and WebSockets cross the hop whole")
  func bodies() throws {
    let mesh = try Mesh()
    let body = (0..<400_000).map { "line \($0)\n" }.joined()
    let file = mesh.directory + "/body"
    try body.write(toFile: file, atomically: true, encoding: .utf8)
    for version in ["--http1.1", "--http2-prior-knowledge"] {
      let answer = mesh.ask([version, "-H", "Host: a", "-H", "Expect:", "--data-binary", "@" + file])
      #expect(answer.hasSuffix("\r\n\r\n" + body + (version == "--http1.1" ? " [200 1.1]" : " [200 2]")))
    }
    let chat = Backend { connection in
      guard let request = connection.request() else { return }
      #expect(request["upgrade"] == "websocket")
      connection.socket.send(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: x\r\n\r\nbehind")
      connection.socket.send(connection.socket.readToEnd().reversed())
      connection.socket.finish()
      _ = connection.socket.awaitEnd()
    }
    try "127.0.0.1 \(chat.port(keptBy: mesh.service))\n".write(
      toFile: mesh.directory + "/disco/chat", atomically: true, encoding: .utf8)
    let socket = try RawSocket(connectingTo: mesh.port)
    socket.send(
      "GET /chat HTTP/1.1\r\nHost: chat\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
    let head = try #require(socket.readHead())
    #expect(head.status == 101)
    // RFC 6455 §1.3 has this pair.
    #expect(head["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    #expect(text(socket.read(count: 6)) == "behind")
    socket.send("over two routers")
    socket.finish()
    #expect(text(socket.readToEnd()) == String("over two routers".reversed()))
  }

  @Test("what a caller spoke first is believed only of routers", arguments: [true, false])
  func claims(clearContext: Bool) throws {
    let service = try Router(server: "clearContext: false")
    service.service("a", ports: [Backend.echo().port(keptBy: service)])
    let router = try Router(router: "client: {protocol: auto}", server: "clearContext: \(clearContext)")
    router.service("a", ports: [service.port])
    func ask(_ arguments: [String]) -> String {
      Tool.run(
        "/usr/bin/curl", ["-sS", "-m", "10", "-H", "Host: a"] + arguments + ["http://127.0.0.1:\(router.port)/"]
      ).output
    }
    #expect(vias(ask(["--http1.1"])) == ["1.1 meshrouter", "1.1 meshrouter"])
    #expect(vias(ask(["--http2-prior-knowledge"])) == ["2 meshrouter", "2 meshrouter"])
    let claimed = ask(["--http2-prior-knowledge", "-H", "l5d-orig-proto: HTTP/1.1"])
    #expect(vias(claimed) == ["2 meshrouter", clearContext ? "2 meshrouter" : "1.1 meshrouter"])
    #expect(claimed.contains("l5d-orig-proto") == !clearContext)
  }

  @Test("many callers share few connections between the routers; only routers of the mesh come in")
  func shared() throws {
    let mesh = try Mesh()
    let load = Load()
    for index in 0..<8 {
      load.start {
        let version = index % 2 == 0 ? "--http1.1" : "--http2-prior-knowledge"
        for _ in 0..<4 {
          let answer = mesh.ask([version, "-H", "Host: a", "-d", "caller \(index)"])
          #expect(answer.contains("caller \(index) [200"), "\(answer)")
        }
      }
    }
    load.wait()
    let metrics = mesh.outgoing.metrics()
    let pattern = /"rt\/outgoing\/client\/[^"]*\/connects": ?(\d+)/
    let connects = try #require(metrics.firstMatch(of: pattern).flatMap { Int($0.output.1) }, "\(metrics)")
    // One for each worker.
    #expect(connects <= ProcessInfo.processInfo.activeProcessorCount, "\(connects)")

    let files = Certificates.shared
    let url = "https://a.svc.mesh/"
    #expect(Tool.curl(mesh.meshPort, url, ["-H", "Host: a"]).status != 0)
    #expect(Tool.curl(mesh.meshPort, url, ["-H", "Host: a"] + files.curlIdentity("stranger")).status != 0)
    let known = Tool.curl(mesh.meshPort, url, ["-H", "Host: a", "-H", "Via: 1.1 x"] + files.curlIdentity("node")).output
    #expect(known.hasSuffix("[200 2]"), "\(known)")
  }
}
