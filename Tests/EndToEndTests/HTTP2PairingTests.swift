import Foundation
import HTTP
import Testing

import class Net.Locked

/// One exchange that must look the same whichever protocols the two sides speak.
struct PairingCase: Sendable, CustomTestStringConvertible {
  var title: String
  var request: @Sendable (String) -> Sending
  var answer: Sending
  var check: @Sendable (_ request: Arrived, _ answer: Arrived, Pairing) -> Void

  var testDescription: String { title }
}

private func get(
  _ name: String, _ target: String = "/", method: String = "GET", fields: String = "", body: Sending.Body = .none,
  trailers: String = ""
) -> Sending {
  Sending(
    start: "\(method) \(target) HTTP/1.1", fields: "Host: \(name)\r\n\(fields)", body: body, trailers: trailers)
}

private let ok = Sending(start: "HTTP/1.1 200 OK", body: .sized("ok"))

private let cases: [PairingCase] = [
  PairingCase(title: "GET") {
    get($0, "/a/b?c=d", fields: "X-Own: 1\r\nx-own: 2\r\n")
  } answer: {
    Sending(
      start: "HTTP/1.1 200 OK", fields: "X-Back: a\r\nX-Back: b\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n",
      body: .sized("ok"))
  } check: { request, answer, pairing in
    #expect(request.startLine == "GET /a/b?c=d HTTP/1.1")
    #expect(request["host"]?.first == "s")
    #expect(request.all("x-own") == ["1", "2"])
    #expect(request["via"] == (pairing.caller == .h2 ? "2 meshrouter" : "1.1 meshrouter"))
    #expect(answer.status == 200 && answer.body == "ok" && answer.isWhole)
    #expect(answer.all("x-back") == ["a", "b"] && answer.all("set-cookie") == ["a=1", "b=2"])
    #expect(answer["via"] == (pairing.backend == .h2 ? "2 meshrouter" : "1.1 meshrouter"))
    #expect(answer["date"] != nil)
    #expect(request["te"] == nil && request["connection"] == nil && request["transfer-encoding"] == nil)
  },
  PairingCase(title: "a body with a length") {
    get($0, method: "POST", body: .sized("hello"))
  } answer: {
    Sending(start: "HTTP/1.1 200 OK", body: .sized("world"))
  } check: { request, answer, _ in
    #expect(request.body == "hello" && request.isWhole && request["content-length"] == "5")
    #expect(answer.body == "world" && answer.isWhole && answer["content-length"] == "5")
  },
  PairingCase(title: "a body without a length") {
    get($0, method: "POST", body: .open("hello"))
  } answer: {
    Sending(start: "HTTP/1.1 200 OK", body: .open("world"))
  } check: { request, answer, _ in
    #expect(request.body == "hello" && request.isWhole && request["content-length"] == nil)
    #expect(answer.body == "world" && answer.isWhole && answer["content-length"] == nil)
  },
  PairingCase(title: "an empty body without a length") {
    get($0, method: "POST", body: .open(""))
  } answer: {
    Sending(start: "HTTP/1.1 200 OK", body: .open(""))
  } check: { request, answer, _ in
    #expect(request.body.isEmpty && request.isWhole)
    #expect(answer.body.isEmpty && answer.isWhole)
  },
  PairingCase(title: "trailers both ways") {
    get(
      $0, method: "POST", fields: "Connection: TE\r\nTE: trailers\r\n", body: .open("hello"),
      trailers: "x-sum: 1\r\nx-more: 2\r\n")
  } answer: {
    Sending(start: "HTTP/1.1 200 OK", body: .open("world"), trailers: "x-sum: 3\r\n")
  } check: { request, answer, _ in
    #expect(request["te"] == "trailers")
    #expect(request.trailers.lowercased() == "x-sum: 1\r\nx-more: 2\r\n")
    #expect(answer.trailers.lowercased() == "x-sum: 3\r\n")
    #expect(request.body == "hello" && answer.body == "world" && request.isWhole && answer.isWhole)
  },
  PairingCase(title: "trailers without a body") {
    get($0, method: "POST", fields: "Connection: TE\r\nTE: trailers\r\n", body: .open(""), trailers: "x-sum: 1\r\n")
  } answer: {
    Sending(start: "HTTP/1.1 200 OK", body: .open(""), trailers: "x-sum: 3\r\n")
  } check: { request, answer, _ in
    #expect(request.trailers.lowercased() == "x-sum: 1\r\n" && answer.trailers.lowercased() == "x-sum: 3\r\n")
  },
  PairingCase(title: "1xx before the answer") {
    get($0, fields: "Expect: 100-continue\r\n")
  } answer: {
    var answer = ok
    answer.informational = ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]
    return answer
  } check: { _, answer, _ in
    #expect(answer.informational.count == 2)
    #expect(answer.informational.first?.hasPrefix("HTTP/1.1 100 ") == true)
    #expect(answer.informational.last?.lowercased().contains("link: </a>\r\n") == true)
    #expect(answer.status == 200 && answer.body == "ok")
  },
  PairingCase(title: "cookies are one field over HTTP/1 and several over HTTP/2") {
    get($0, fields: "Cookie: session=0123456789abcdef; theme=dark; language=en\r\n")
  } answer: {
    ok
  } check: { request, answer, _ in
    #expect(request.all("cookie") == ["session=0123456789abcdef; theme=dark; language=en"])
    #expect(answer.isWhole)
  },
  PairingCase(title: "HEAD") {
    get($0, method: "HEAD")
  } answer: {
    Sending(start: "HTTP/1.1 200 OK", fields: "Content-Length: 1234\r\n")
  } check: { _, answer, _ in
    #expect(answer.status == 200 && answer.isWhole && answer.body.isEmpty && answer["content-length"] == "1234")
  },
  PairingCase(title: "204") {
    get($0)
  } answer: {
    Sending(start: "HTTP/1.1 204 No Content")
  } check: { _, answer, _ in
    #expect(answer.status == 204 && answer.isWhole && answer["content-length"] == nil)
  },
  PairingCase(title: "304") {
    get($0)
  } answer: {
    Sending(start: "HTTP/1.1 304 Not Modified", fields: "ETag: \"a\"\r\n")
  } check: { _, answer, _ in
    #expect(answer.status == 304 && answer.isWhole && answer["etag"] == "\"a\"")
  },
  PairingCase(title: "length zero") {
    get($0, method: "POST", body: .sized(""))
  } answer: {
    Sending(start: "HTTP/1.1 200 OK", body: .sized(""))
  } check: { request, answer, _ in
    #expect(request["content-length"] == "0" && answer["content-length"] == "0" && answer.isWhole)
  },
  PairingCase(title: "a large head") {
    get($0, fields: (0..<7).map { "X-Large-\($0): \(String(repeating: "v", count: 1_000))\r\n" }.joined())
  } answer: {
    Sending(
      start: "HTTP/1.1 200 OK",
      fields: (0..<7).map { "X-Large-\($0): \(String(repeating: "v", count: 1_000))\r\n" }.joined(), body: .sized("ok"))
  } check: { request, answer, _ in
    for index in 0..<7 {
      #expect(request["x-large-\(index)"]?.count == 1_000 && answer["x-large-\(index)"]?.count == 1_000)
    }
  },
  PairingCase(title: "an odd method") {
    get($0, method: "PURGE")
  } answer: {
    ok
  } check: { request, answer, _ in
    #expect(request.startLine.hasPrefix("PURGE / ") && answer.isWhole)
  },
  PairingCase(title: "OPTIONS *") {
    get($0, "*", method: "OPTIONS")
  } answer: {
    ok
  } check: { request, answer, _ in
    #expect(request.startLine.hasPrefix("OPTIONS * ") && answer.isWhole)
  },
  PairingCase(title: "an error of the backend's own passes") {
    get($0)
  } answer: {
    Sending(start: "HTTP/1.1 503 Busy", fields: "Retry-After: 9\r\n", body: .sized("no"))
  } check: { _, answer, _ in
    #expect(answer.status == 503 && answer["retry-after"] == "9" && answer.body == "no")
    #expect(answer["l5d-err"] == nil)
  },
]

extension PairingCase {
  init(
    title: String, request: @escaping @Sendable (String) -> Sending, answer: () -> Sending,
    check: @escaping @Sendable (_ request: Arrived, _ answer: Arrived, Pairing) -> Void
  ) {
    self.init(title: title, request: request, answer: answer(), check: check)
  }
}

@Suite("every pairing of HTTP/1 and HTTP/2")
struct HTTP2PairingTests {
  @Test("an exchange looks the same", arguments: cases, Pairing.all)
  func sameInAll(_ row: PairingCase, _ pairing: Pairing) throws {
    let (request, answer) = try pairing.exchange(row.request, row.answer)
    row.check(request, answer, pairing)
  }
}
