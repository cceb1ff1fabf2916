import MeshBase
import Testing

@testable import HTTP

/// A head, and the rule it breaks.
struct Refusal: CustomTestStringConvertible, Sendable {
  var raw: [UInt8]
  var rule: H1Rule
  /// Where the error is, if the table says so.
  var offset: Int?

  init(_ text: String, _ rule: H1Rule, at offset: Int? = nil) {
    raw = bytes(text)
    self.rule = rule
    self.offset = offset
  }

  init(_ raw: [UInt8], _ rule: H1Rule) {
    self.raw = raw
    self.rule = rule
  }

  var testDescription: String { "\(rule): \(String(decoding: raw.prefix(120), as: UTF8.self).debugDescription)" }
}

private let host = "Host: web\r\n"

@Suite("requests that are refused")
struct RequestRefusalTests {
  static let startLines: [Refusal] = [
    Refusal("G@T / HTTP/1.1\r\n\(host)\r\n", .badMethod, at: 1),
    Refusal(" GET / HTTP/1.1\r\n\(host)\r\n", .badMethod, at: 0),
    Refusal("\tGET / HTTP/1.1\r\n\(host)\r\n", .badMethod),
    Refusal("GET\t/ HTTP/1.1\r\n\(host)\r\n", .badMethod, at: 3),
    Refusal("GE\u{0}T / HTTP/1.1\r\n\(host)\r\n", .badMethod, at: 2),
    Refusal("GÉT / HTTP/1.1\r\n\(host)\r\n", .badMethod),
    Refusal(": / HTTP/1.1\r\n\(host)\r\n", .badMethod),
    Refusal("GET\r\n\(host)\r\n", .badRequestLine),
    Refusal("GET /\r\n\(host)\r\n", .badRequestLine),
    Refusal("GET / HTTP/1.1 \r\n\(host)\r\n", .badRequestLine, at: 14),
    Refusal("GET / HTTP/1.1x\r\n\(host)\r\n", .badRequestLine),
    Refusal("GET  / HTTP/1.1\r\n\(host)\r\n", .emptyTarget, at: 4),
    Refusal("GET HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
    Refusal("GET /  HTTP/1.1\r\n\(host)\r\n", .badVersion, at: 6),
    Refusal("GET /a b HTTP/1.1\r\n\(host)\r\n", .badVersion),
    Refusal("GET /\tb HTTP/1.1\r\n\(host)\r\n", .badTargetByte, at: 5),
    Refusal("GET /\u{1} HTTP/1.1\r\n\(host)\r\n", .badTargetByte),
    Refusal("GET /\u{7f} HTTP/1.1\r\n\(host)\r\n", .badTargetByte),
    Refusal("GET /\u{0} HTTP/1.1\r\n\(host)\r\n", .badTargetByte),
    Refusal("GET /a#b HTTP/1.1\r\n\(host)\r\n", .badTargetByte, at: 6),
    Refusal("GET /ä HTTP/1.1\r\n\(host)\r\n", .badTargetByte),
    Refusal("GET a HTTP/1.1\r\n\(host)\r\n", .badTarget),
    Refusal("GET ?a HTTP/1.1\r\n\(host)\r\n", .badTarget),
    Refusal("GET http:/a HTTP/1.1\r\n\(host)\r\n", .badTarget),
    Refusal("GET http: HTTP/1.1\r\n\(host)\r\n", .authorityWithoutConnect),
    Refusal("GET web:80 HTTP/1.1\r\n\(host)\r\n", .authorityWithoutConnect),
    Refusal("GET * HTTP/1.1\r\n\(host)\r\n", .asteriskWithoutOptions),
    Refusal("OPTIONS ** HTTP/1.1\r\n\(host)\r\n", .badTarget),
    Refusal("GET ftp://web/ HTTP/1.1\r\n\(host)\r\n", .unsupportedScheme),
    Refusal("GET ://web/ HTTP/1.1\r\n\(host)\r\n", .unsupportedScheme),
    Refusal("GET http:// HTTP/1.1\r\n\(host)\r\n", .badAuthority),
    Refusal("GET http:///a HTTP/1.1\r\n\(host)\r\n", .badAuthority),
    Refusal("GET http://?a HTTP/1.1\r\n\(host)\r\n", .badAuthority),
    Refusal("GET http://:80/ HTTP/1.1\r\n\(host)\r\n", .badAuthority),
    Refusal("GET http://web:x/ HTTP/1.1\r\n\(host)\r\n", .badAuthority),
    Refusal("GET http://web:65536/ HTTP/1.1\r\n\(host)\r\n", .badAuthority),
    Refusal("GET http://we\\b/ HTTP/1.1\r\n\(host)\r\n", .badAuthority),
    Refusal("GET http://user@web/ HTTP/1.1\r\n\(host)\r\n", .userinfoInTarget),
    Refusal("GET http://user:pass@web/ HTTP/1.1\r\n\(host)\r\n", .userinfoInTarget),
    Refusal("CONNECT / HTTP/1.1\r\n\(host)\r\n", .connectWithoutAuthority),
    Refusal("CONNECT web HTTP/1.1\r\n\(host)\r\n", .connectWithoutAuthority),
    Refusal("CONNECT web: HTTP/1.1\r\n\(host)\r\n", .connectWithoutAuthority),
    Refusal("CONNECT web:0 HTTP/1.1\r\n\(host)\r\n", .connectWithoutAuthority),
    Refusal("CONNECT :80 HTTP/1.1\r\n\(host)\r\n", .connectWithoutAuthority),
    Refusal("CONNECT http://web:80/ HTTP/1.1\r\n\(host)\r\n", .connectWithoutAuthority),
    Refusal("CONNECT u@web:80 HTTP/1.1\r\n\(host)\r\n", .connectWithoutAuthority),
    Refusal("GET / HTTP/2.0\r\n\(host)\r\n", .unsupportedVersion, at: 6),
    Refusal("GET / HTTP/1.2\r\n\(host)\r\n", .unsupportedVersion),
    Refusal("GET / HTTP/0.9\r\n\(host)\r\n", .unsupportedVersion),
    Refusal("GET / HTTP/3.0\r\n\(host)\r\n", .unsupportedVersion),
    Refusal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
    Refusal("GET / HTTP/1.10\r\n\(host)\r\n", .badVersion),
    Refusal("GET / HTTP/11\r\n\(host)\r\n", .badVersion),
    Refusal("GET / HTTP/1\r\n\(host)\r\n", .badVersion),
    Refusal("GET / http/1.1\r\n\(host)\r\n", .badVersion, at: 6),
    Refusal("GET / HTTP/1,1\r\n\(host)\r\n", .badVersion),
    Refusal("GET / HTTPS/1.1\r\n\(host)\r\n", .badVersion),
    Refusal("GET / \r\n\(host)\r\n", .badVersion),
    Refusal("GET / ICY/1.1\r\n\(host)\r\n", .badVersion),
    Refusal("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\(host)\r\n", .badRequestLine),
  ]

  static let lines: [Refusal] = [
    Refusal("\nGET / HTTP/1.1\r\n\(host)\r\n", .bareLF),
    Refusal("\rGET / HTTP/1.1\r\n\(host)\r\n", .bareCR),
    Refusal("GET\nX / HTTP/1.1\r\n\(host)\r\n", .bareLF),
    Refusal("GET\rX / HTTP/1.1\r\n\(host)\r\n", .bareCR),
    Refusal("GET /\n\(host)\r\n", .bareLF),
    Refusal("GET /\ra HTTP/1.1\r\n\(host)\r\n", .bareCR),
    Refusal("GET / HTTP/1.1\n\(host)\r\n", .bareLF, at: 14),
    Refusal("GET / HTTP/1.1\r\(host)\r\n", .bareCR, at: 14),
    Refusal("GET / HTTP/1.1\r\r\n\(host)\r\n", .bareCR),
    Refusal("GET / HTTP/1.1\r\nHost: web\n\r\n", .bareLF),
    Refusal("GET / HTTP/1.1\r\nHost: web\rX: y\r\n\r\n", .bareCR),
    Refusal("GET / HTTP/1.1\r\nHost: web\r\r\n\r\n", .bareCR),
    Refusal("GET / HTTP/1.1\r\n\(host)\n", .bareLF),
    Refusal("GET / HTTP/1.1\r\n\(host)\rX", .bareCR),
    Refusal("GET / HTTP/1.1\r\n\(host)\r\rX", .bareCR),
    Refusal("GET / HTTP/1.1\r\n\(host)X\n: y\r\n\r\n", .bareLF),
    Refusal("GET / HTTP/1.1\r\n\(host)X\r: y\r\n\r\n", .bareCR),
    Refusal("GET / HTTP/1.1\r\n\(host)X: a\r\n b\r\n\r\n", .obsFold),
    Refusal("GET / HTTP/1.1\r\n\(host)X: a\r\n\tb\r\n\r\n", .obsFold),
    Refusal("GET / HTTP/1.1\r\n\(host)X: a\r\n : b\r\n\r\n", .obsFold),
    Refusal("GET / HTTP/1.1\r\n\(host)X:\r\n \r\n\r\n", .obsFold),
    Refusal("GET / HTTP/1.1\r\n Host: web\r\n\r\n", .whitespaceBeforeFirstField, at: 16),
    Refusal("GET / HTTP/1.1\r\n\tHost: web\r\n\r\n", .whitespaceBeforeFirstField),
    Refusal("GET / HTTP/1.1\r\n \r\n\(host)\r\n", .whitespaceBeforeFirstField),
    Refusal("GET / HTTP/1.1\r\nHost : web\r\n\r\n", .spaceBeforeColon, at: 20),
    Refusal("GET / HTTP/1.1\r\n\(host)Content-Length : 5\r\n\r\n", .spaceBeforeColon),
    Refusal("GET / HTTP/1.1\r\n\(host)Transfer-Encoding\t: chunked\r\n\r\n", .spaceBeforeColon),
    Refusal("GET / HTTP/1.1\r\n\(host)X \t : chunked\r\n\r\n", .spaceBeforeColon),
    Refusal("GET / HTTP/1.1\r\n\(host): y\r\n\r\n", .emptyName),
    Refusal("GET / HTTP/1.1\r\n:\r\n\r\n", .emptyName),
    Refusal("GET / HTTP/1.1\r\n\(host)X Y: z\r\n\r\n", .badName),
    Refusal("GET / HTTP/1.1\r\n\(host)X\u{0}: z\r\n\r\n", .badName),
    Refusal("GET / HTTP/1.1\r\n\(host)\u{0}\u{0}\u{0}\u{0}: z\r\n\r\n", .badName),
    Refusal("GET / HTTP/1.1\r\nHost\u{0}: web\r\n\r\n", .badName),
    Refusal("GET / HTTP/1.1\r\n\(host)Content-Length\u{0}: 3\r\n\r\n", .badName),
    Refusal("GET / HTTP/1.1\r\n\(host)X(: z\r\n\r\n", .badName),
    Refusal("GET / HTTP/1.1\r\n\(host)X/Y: z\r\n\r\n", .badName),
    Refusal("GET / HTTP/1.1\r\n\(host)Xé: z\r\n\r\n", .badName),
    Refusal("GET / HTTP/1.1\r\n\(host)\"X\": z\r\n\r\n", .badName),
    Refusal("GET / HTTP/1.1\r\n\(host)X-A-Name-Of-More-Than-24@Bytes: z\r\n\r\n", .badName),
    Refusal("GET / HTTP/1.1\r\n\(host)nothing\r\n\r\n", .missingColon),
    Refusal("GET / HTTP/1.1\r\n\(host)X-A-Name-Of-More-Than-24-Bytes\r\n\r\n", .missingColon),
    Refusal("GET / HTTP/1.1\r\n\(host)GET / HTTP/1.1\r\n\r\n", .badName),
    Refusal("GET / HTTP/1.1\r\n\(host)X: a\u{0}b\r\n\r\n", .badValueByte),
    Refusal("GET / HTTP/1.1\r\n\(host)X: \u{0}\r\n\r\n", .badValueByte),
    Refusal("GET / HTTP/1.1\r\n\(host)X: \u{1}\r\n\r\n", .badValueByte),
    Refusal("GET / HTTP/1.1\r\n\(host)X: a\u{b}\r\n\r\n", .badValueByte),
    Refusal("GET / HTTP/1.1\r\n\(host)X: a\u{1b}[1m\r\n\r\n", .badValueByte),
    Refusal("GET / HTTP/1.1\r\n\(host)X: a\u{7f}\r\n\r\n", .badValueByte),
  ]

  static let fields: [Refusal] = [
    Refusal("GET / HTTP/1.1\r\n\r\n", .missingHost),
    Refusal("GET http://web/ HTTP/1.1\r\n\r\n", .missingHost),
    Refusal("GET / HTTP/1.1\r\nX-Host: web\r\n\r\n", .missingHost),
    Refusal("GET / HTTP/1.1\r\n\(host)\(host)\r\n", .repeatedHost, at: 27),
    Refusal("GET / HTTP/1.1\r\n\(host)X: y\r\nhOST: other\r\n\r\n", .repeatedHost),
    Refusal("GET / HTTP/1.0\r\n\(host)\(host)\r\n", .repeatedHost),
    Refusal("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: http://web\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: web/\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: web?x\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: web#x\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: user@web\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: web:80:80\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: web:x\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: web:-1\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: web:65536\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: web:99999999999999999999999\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: []\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: [fe80::1%eth0]\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: ::1\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: [web]\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: a%2\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: a%zz\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: wéb\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\nHost: \"web\"\r\n\r\n", .badHost),
    Refusal("GET http://web/ HTTP/1.1\r\nHost: a b\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", .badHost),
    Refusal("GET / HTTP/1.1\r\n\(host)Connection: a b\r\n\r\n", .badConnectionOption),
    Refusal("GET / HTTP/1.1\r\n\(host)Connection: close;q=1\r\n\r\n", .badConnectionOption),
    Refusal("GET / HTTP/1.1\r\n\(host)Connection: \"close\"\r\n\r\n", .badConnectionOption),
    Refusal(
      "GET / HTTP/1.1\r\n\(host)Connection: \(Array(repeating: "a", count: 33).joined(separator: ","))\r\n\r\n",
      .tooManyConnectionOptions),
  ]

  @Test("a wrong start line", arguments: startLines)
  func startLine(_ refusal: Refusal) { check(refusal) }

  @Test("wrong lines", arguments: lines)
  func line(_ refusal: Refusal) { check(refusal) }

  @Test("wrong Host and Connection", arguments: fields)
  func field(_ refusal: Refusal) { check(refusal) }

  private func check(_ refusal: Refusal) {
    let request = ParsedRequest(refusal.raw)
    #expect(request.rule == refusal.rule)
    guard case .failed(let error) = request.result else { return }
    #expect(error.offset >= 0 && Int(error.offset) <= refusal.raw.count)
    if let offset = refusal.offset { #expect(Int(error.offset) == offset) }
  }

  @Test("each rule has a status, a reason of the decode stage and a sentence which names its section")
  func catalogue() {
    for rule in H1Rule.allCases {
      #expect([400, 414, 431, 501, 505].contains(rule.status))
      #expect(rule.reason.rawValue.hasPrefix("decode."))
      #expect(rule.message.description.contains("(RFC "))
      #expect(H1Error(rule, at: 7).description.hasPrefix("byte 7: "))
    }
    #expect(H1Error(.badHost, at: 3).status == 400)
    #expect(H1Error(.badHost, at: 3).reason == .decodeMalformed)
    #expect(H1Error(.repeatedContentLength, at: 3).reason == .decodeFramingConflict)
    #expect(H1Error(.unsupportedVersion, at: 3).status == 505)
    #expect(H1Error(.lineTooLong, at: 3).status == 414)
    #expect(H1Error(.headTooLong, at: 3).status == 431)
  }
}
