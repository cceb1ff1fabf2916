import Foundation
import HTTP
import TestSupport
import Testing

/// What a caller says of the time it has: the router gives up when it is over, and tells the next hop what is left.
@Suite("deadlines")
struct DeadlineTests {
  private static let router: Router = {
    do { return try Router(router: "timeoutHeader: x-timeout-ms") } catch { fatalError("\(error)") }
  }()

  private func hanging() -> Backend {
    Backend { connection in
      while connection.request() != nil { sleep(30) }
    }
  }

  private func wall(in milliseconds: Int) -> String {
    let now = UInt64(Date().timeIntervalSince1970 * 1e9)
    return "\(now) \(now + UInt64(milliseconds) * 1_000_000)"
  }

  private func timed<Result>(_ body: () throws -> Result) rethrows -> (Result, Double) {
    let started = Date()
    let result = try body()
    return (result, Date().timeIntervalSince(started))
  }

  @Test("a request is given up when its deadline passes: by context, or by the configured header")
  func enforced() throws {
    let name = Self.router.service(hanging())
    for fields in ["l5d-ctx-deadline: \(wall(in: 300))\r\n", "X-Timeout-Ms: 300\r\n"] {
      let (answer, took) = try timed { try Self.router.get(name, fields: fields) }
      #expect(answer?.status == 504 && answer?.reasonWord == "outcome.deadline", "\(answer?.startLine ?? "nothing")")
      #expect(took > 0.25 && took < patience(2), "\(took) s")
    }
  }

  @Test("of several deadlines the strictest counts")
  func strictest() throws {
    let name = Self.router.service(hanging())
    let fields =
      "l5d-ctx-deadline: \(wall(in: 60_000))\r\nl5d-ctx-deadline: \(wall(in: 200))\r\nx-timeout-ms: 50000\r\n"
    let (answer, took) = try timed { try Self.router.get(name, fields: fields) }
    #expect(answer?.reasonWord == "outcome.deadline" && took < patience(2))
  }

  @Test("one that has passed is answered at once, and no endpoint hears of it")
  func passed() throws {
    let backend = Backend()
    let name = Self.router.service(backend)
    let late = try Self.router.get(name, fields: "l5d-ctx-deadline: 1 2\r\n")
    #expect(late?.status == 504 && late?.bodyText.contains("ms ago") == true)
    #expect(try Self.router.get(name, fields: "x-timeout-ms: 0\r\n")?.status == 504)
    #expect(backend.requests.isEmpty)
  }

  @Test(
    "what is no deadline has no effect and goes on as it came",
    arguments: ["", "x", "1", "1 ", " 2", "1 2x", "-1 2", "1  2", "99999999999999999999 99999999999999999999"])
  func malformed(value: String) throws {
    let backend = Backend()
    let name = Self.router.service(backend)
    #expect(try Self.router.get(name, fields: "l5d-ctx-deadline: \(value)\r\n")?.status == 200)
    // A number is one: of milliseconds, within which nobody has to answer.
    if Int(value.trimmingCharacters(in: .whitespaces)) == nil {
      #expect(try Self.router.get(name, fields: "x-timeout-ms: \(value)\r\n")?.status == 200)
    }
    #expect(backend.requests.first?["l5d-ctx-deadline"] == value.trimmingCharacters(in: .whitespaces))
  }

  @Test("the next hop hears of the deadline: as it came, or made from the header")
  func passedOn() throws {
    let backend = Backend()
    let name = Self.router.service(backend)
    let deadline = wall(in: 60_000)
    #expect(try Self.router.get(name, fields: "l5d-ctx-deadline: \(deadline)\r\n")?.status == 200)
    #expect(try Self.router.get(name, fields: "x-timeout-ms: 60000\r\n")?.status == 200)
    #expect(try Self.router.get(name)?.status == 200)
    let requests = backend.requests
    #expect(requests[0]["l5d-ctx-deadline"] == deadline)
    let parts = (requests[1]["l5d-ctx-deadline"] ?? "").split(separator: " ").compactMap { UInt64($0) }
    #expect(parts.count == 2 && parts[1] - parts[0] <= 60_000_000_000 && parts[1] - parts[0] > 50_000_000_000)
    #expect(requests[2]["l5d-ctx-deadline"] == nil)
  }

  @Test("a gRPC call ends with DEADLINE_EXCEEDED, before its response or amid it, and endpoints hear what is left")
  func calls() throws {
    let fields = "Content-Type: application/grpc\r\nTE: trailers\r\ngrpc-timeout: 400m\r\n"
    let peer = try HTTP2Peer(connectingTo: Self.router.port)
    let silent = Self.router.service(hanging())
    let answer = peer.request(silent, "POST", "/a.B/C", fields: fields).finished()
    #expect(answer.status == 200 && answer["grpc-status"] == "4", "\(answer)")
    let halfway = Backend { connection in
      guard connection.request() != nil else { return }
      connection.socket.send(
        "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
      sleep(30)
    }
    let amid = Self.router.service(halfway)
    let cut = peer.request(amid, "POST", "/a.B/C", fields: fields).finished()
    #expect(
      cut.status == 200 && cut.bodyText == "abc" && cut.trailers.contains("grpc-status: 4"), "\(cut.trailers) \(cut)")
    let told = halfway.requests[0]["grpc-timeout"].map { Array($0.utf8).withUnsafeBytes { GRPC.timeout($0) } } ?? nil
    #expect(told.map { $0 <= 400_000_000 && $0 > 300_000_000 } == true, "\(halfway.requests[0].head)")
  }

  @Test("a deadline that is met leaves nothing behind on the connection")
  func met() throws {
    let name = Self.router.service(Backend())
    let caller = try Self.router.connect()
    for _ in 0..<5 {
      caller.send("GET / HTTP/1.1\r\nHost: \(name)\r\nX-Timeout-Ms: 150\r\n\r\n")
      #expect(caller.readResponse()?.status == 200)
      usleep(60_000)
    }
    usleep(200_000)
    caller.send("GET / HTTP/1.1\r\nHost: \(name)\r\n\r\n")
    #expect(caller.readResponse()?.status == 200)
  }
}
