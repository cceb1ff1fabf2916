import Testing

@testable import HTTP

/// Fields of a message, and what they make of its body.
struct FramingCase: CustomTestStringConvertible, Sendable {
  var fields: [String]
  var version: String
  var outcome: Result<BodyFraming, H1RuleError>

  struct H1RuleError: Error, Equatable { var rule: H1Rule }

  init(_ fields: [String], _ framing: BodyFraming, version: String = "1.1") {
    self.fields = fields
    self.version = version
    outcome = .success(framing)
  }

  init(_ fields: [String], refused rule: H1Rule, version: String = "1.1") {
    self.fields = fields
    self.version = version
    outcome = .failure(H1RuleError(rule: rule))
  }

  var testDescription: String { "\(version) \(fields) → \(outcome)" }
  var lines: String { fields.map { $0 + "\r\n" }.joined() }
}

@Suite("framing")
struct FramingTests {
  static let both: [FramingCase] = [
    FramingCase(["Content-Length: 0"], .length(0)),
    FramingCase(["Content-Length: 5"], .length(5)),
    FramingCase(["content-length:5"], .length(5)),
    FramingCase(["CONTENT-LENGTH: \t5 \t"], .length(5)),
    FramingCase(["Content-Length: 00000000000000000000000005"], .length(5)),
    FramingCase(["Content-Length: 9223372036854775807"], .length(9_223_372_036_854_775_807)),
    FramingCase(["Content-Length: 5"], .length(5), version: "1.0"),
    FramingCase(["Transfer-Encoding: chunked"], .chunked),
    FramingCase(["transfer-encoding:\tCHUNKED "], .chunked),
    FramingCase(["Content-Length: 9223372036854775808"], refused: .contentLengthTooLarge),
    FramingCase(["Content-Length: 18446744073709551615"], refused: .contentLengthTooLarge),
    FramingCase(["Content-Length: 18446744073709551616"], refused: .contentLengthTooLarge),
    FramingCase(["Content-Length: 18446744073709551621"], refused: .contentLengthTooLarge),
    FramingCase(["Content-Length: 99999999999999999999999999999999"], refused: .contentLengthTooLarge),
    FramingCase(["Content-Length:"], refused: .badContentLength),
    FramingCase(["Content-Length: +5"], refused: .badContentLength),
    FramingCase(["Content-Length: -5"], refused: .badContentLength),
    FramingCase(["Content-Length: 0x5"], refused: .badContentLength),
    FramingCase(["Content-Length: 5.0"], refused: .badContentLength),
    FramingCase(["Content-Length: 5 5"], refused: .badContentLength),
    FramingCase(["Content-Length: 5;q=1"], refused: .badContentLength),
    FramingCase(["Content-Length: five"], refused: .badContentLength),
    FramingCase(["Content-Length: ٥"], refused: .badContentLength),
    FramingCase(["Content-Length: 5, 5"], refused: .repeatedContentLength),
    FramingCase(["Content-Length: 5,6"], refused: .repeatedContentLength),
    FramingCase(["Content-Length: 5,"], refused: .repeatedContentLength),
    FramingCase(["Content-Length: 5", "Content-Length: 5"], refused: .repeatedContentLength),
    FramingCase(["Content-Length: 5", "X: y", "content-length: 6"], refused: .repeatedContentLength),
    FramingCase(["Content-Length: 5", "Transfer-Encoding: chunked"], refused: .lengthAndTransferEncoding),
    FramingCase(["Transfer-Encoding: chunked", "Content-Length: 5"], refused: .lengthAndTransferEncoding),
    FramingCase(["Transfer-Encoding: chunked", "Content-Length:"], refused: .lengthAndTransferEncoding),
    FramingCase(["Transfer-Encoding: identity", "Content-Length: 5"], refused: .lengthAndTransferEncoding),
    FramingCase(["Transfer-Encoding: chunked"], refused: .transferEncodingOnOldVersion, version: "1.0"),
    FramingCase(["Transfer-Encoding:"], refused: .badTransferEncoding),
    FramingCase(["Transfer-Encoding: ,chunked"], refused: .badTransferEncoding),
    FramingCase(["Transfer-Encoding: chunked,"], refused: .badTransferEncoding),
    FramingCase(["Transfer-Encoding: chunked;a=b"], refused: .badTransferEncoding),
    FramingCase(["Transfer-Encoding: \"chunked\""], refused: .badTransferEncoding),
    FramingCase(["Transfer-Encoding: chunked\u{b}"], refused: .badValueByte),
    FramingCase(["Transfer-Encoding: ch\u{b}unked"], refused: .badValueByte),
    FramingCase(["Transfer-Encoding: chunk ed"], refused: .badTransferEncoding),
    FramingCase(["Transfer-Encoding: identity"], refused: .unknownTransferCoding),
    FramingCase(["Transfer-Encoding: xchunked"], refused: .unknownTransferCoding),
    FramingCase(["Transfer-Encoding: chunkedx"], refused: .unknownTransferCoding),
    FramingCase(["Transfer-Encoding: gzip"], refused: .unknownTransferCoding),
    FramingCase(["Transfer-Encoding: gzip, chunked"], refused: .unknownTransferCoding),
    FramingCase(["Transfer-Encoding: gzip;level=9, chunked"], refused: .unknownTransferCoding),
    FramingCase(["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"], refused: .unknownTransferCoding),
    FramingCase(["Transfer-Encoding: chunked, gzip"], refused: .chunkedNotLast),
    FramingCase(["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], refused: .chunkedNotLast),
    FramingCase(["Transfer-Encoding: chunked, chunked"], refused: .chunkedTwice),
    FramingCase(["Transfer-Encoding: chunked", "X: y", "Transfer-Encoding: chunked"], refused: .chunkedTwice),
  ]

  private func check(_ result: H1ParseResult, _ framing: BodyFraming, _ expected: FramingCase) {
    switch expected.outcome {
    case .success(let wanted):
      #expect(result == .complete)
      #expect(framing == wanted)
    case .failure(let refused):
      guard case .failed(let error) = result else {
        Issue.record("not refused: \(result)")
        return
      }
      #expect(error.rule == refused.rule)
    }
  }

  @Test("of a request", arguments: both)
  func request(_ expected: FramingCase) {
    let request = ParsedRequest("POST / HTTP/\(expected.version)\r\nHost: web\r\n\(expected.lines)\r\n")
    check(request.result, request.head.framing, expected)
  }

  @Test("of a response", arguments: both)
  func response(_ expected: FramingCase) {
    let response = ParsedResponse("HTTP/\(expected.version) 200 OK\r\n\(expected.lines)\r\n")
    check(response.result, response.head.framing, expected)
  }

  @Test("a request without length has no body; a response lasts until the connection closes")
  func withoutLength() {
    #expect(ParsedRequest("POST / HTTP/1.1\r\nHost: web\r\n\r\n").head.framing == .none)
    for version in ["1.0", "1.1"] {
      let response = ParsedResponse("HTTP/\(version) 200 OK\r\nConnection: keep-alive\r\n\r\n")
      #expect(response.head.framing == .untilClose)
      #expect(!response.head.keepAlive)
    }
  }

  @Test("a response to HEAD, a 204, a 304 and a 1xx have no body whatever they declare")
  func bodiless() {
    let declared = "Content-Length: 5\r\n\r\n"
    let head = ParsedResponse("HTTP/1.1 200 OK\r\n\(declared)", .head)
    #expect(head.head.framing == .none)
    #expect(head.head.declaredLength == 5)
    #expect(head.head.keepAlive)
    let chunkedHead = ParsedResponse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .head)
    #expect(chunkedHead.head.framing == .none)
    #expect(chunkedHead.head.keepAlive)
    let notModified = ParsedResponse("HTTP/1.1 304 Not Modified\r\n\(declared)")
    #expect(notModified.head.framing == .none)
    #expect(notModified.head.keepAlive)
    for status in [100, 101, 103, 204] {
      let plain = ParsedResponse("HTTP/1.1 \(status) X\r\n\r\n")
      #expect(plain.head.framing == .none)
      #expect(plain.head.keepAlive)
      #expect(plain.head.isInformational == (status != 204))
      #expect(plain.head.isSwitchingProtocols == (status == 101))
      // What follows such a head cannot be told from a body: the connection is not used again.
      #expect(!ParsedResponse("HTTP/1.1 \(status) X\r\n\(declared)").head.keepAlive)
      #expect(!ParsedResponse("HTTP/1.1 \(status) X\r\nTransfer-Encoding: chunked\r\n\r\n").head.keepAlive)
      #expect(ParsedResponse("HTTP/1.1 \(status) X\r\nContent-Length: 0\r\n\r\n").head.keepAlive)
      #expect(ParsedResponse("HTTP/1.1 \(status) X\r\n\(declared)").head.framing == .none)
    }
    // Contradictions are refused even where there is no body.
    #expect(
      ParsedResponse("HTTP/1.1 304 X\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n").rule == .repeatedContentLength)
  }

  @Test("CONNECT: the request has no content, a 2xx opens a tunnel, another status has a body")
  func connect() {
    let start = "CONNECT web:443 HTTP/1.1\r\nHost: web\r\n"
    #expect(ParsedRequest("\(start)\r\n").result == .complete)
    #expect(ParsedRequest("\(start)Content-Length: 0\r\n\r\n").result == .complete)
    #expect(ParsedRequest("\(start)Content-Length: 1\r\n\r\n").rule == .contentOnConnect)
    #expect(ParsedRequest("\(start)Transfer-Encoding: chunked\r\n\r\n").rule == .contentOnConnect)
    #expect(ParsedResponse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", .connect).head.framing == .none)
    #expect(ParsedResponse("HTTP/1.1 407 No\r\nContent-Length: 5\r\n\r\n", .connect).head.framing == .length(5))
  }
}
