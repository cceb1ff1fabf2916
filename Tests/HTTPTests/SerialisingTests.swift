import Foundation
import MeshBase
import Testing

@testable import HTTP

@Suite("serialising")
struct SerialisingTests {
  private func forwarded(_ fields: String, skipping: KnownHeaderSet = []) -> String {
    let request = ParsedRequest("GET / HTTP/1.1\r\nHost: web\r\n\(fields)\r\nbody")
    #expect(request.result == .complete)
    return written { request.head.appendForwardable(request.raw.bytesCopy, skipping: skipping, to: $0) }
  }

  @Test("forwarded fields are the lines as they came, less the hop-by-hop and the skipped ones")
  func forwarding() {
    #expect(forwarded("") == "Host: web\r\n")
    #expect(forwarded("", skipping: .host) == "")
    #expect(forwarded("a:  B \r\nX-Y:\tz\r\n") == "Host: web\r\na:  B \r\nX-Y:\tz\r\n")
    #expect(forwarded("Connection: close\r\nA: b\r\n") == "Host: web\r\nA: b\r\n")
    #expect(
      forwarded("A: b\r\nConnection: A\r\nC: d\r\nTE: x\r\nUpgrade: y\r\nE: f\r\n") == "Host: web\r\nC: d\r\nE: f\r\n")
    #expect(
      forwarded("A: b\r\nl5d-dtab: /a=>/b\r\nl5d-x: y\r\nVia: c\r\nvia: d\r\n", skipping: [.host, .via, .l5d])
        == "A: b\r\n")
    #expect(forwarded("l5d-dtab: /a=>/b\r\nl5d-x: y\r\n", skipping: .l5dDtab) == "Host: web\r\nl5d-x: y\r\n")
    let response = ParsedResponse("HTTP/1.1 200 OK\r\n\r\n")
    #expect(written { response.head.appendForwardable(response.raw.bytesCopy, skipping: [], to: $0) } == "")
  }

  @Test("forwarding agrees with a field at a time", arguments: [1, 2, 3] as [UInt64])
  func forwardingLaw(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let lines = [
      "A: b", "TE: x", "Via: c", "Connection: a", "l5d-x: 1", "Cookie: d", "X: ", "Keep-Alive: 3", "Date: e",
    ]
    for _ in 0..<500 {
      let fields = (0..<Int.random(in: 0...12, using: &random)).map { _ in lines.randomElement(using: &random)! + "\r\n"
      }
      let skip = KnownHeaderSet(rawValue: random.next() & random.next())
      let response = ParsedResponse("HTTP/1.1 204 X\r\n\(fields.joined())\r\n")
      let expected = response.head.fields.filter { !$0.isHopByHop && !skip.contains($0.id) }
        .compactMap { response.text($0.line) }.joined()
      let actual = written { response.head.appendForwardable(response.raw.bytesCopy, skipping: skip, to: $0) }
      #expect(actual == expected, "seed \(seed), fields \(fields)")
    }
  }

  @Test("status lines")
  func statusLines() {
    #expect(written { $0.appendStatusLine(200) } == "HTTP/1.1 200 OK\r\n")
    #expect(written { $0.appendStatusLine(418) } == "HTTP/1.1 418 \r\n")
    #expect(written { $0.appendStatusLine(299, reason: bytes("Mine").bytesCopy) } == "HTTP/1.1 299 Mine\r\n")
    for status in 100...999 {
      let phrase = StatusLine.reasonPhrase(status).description
      #expect(phrase.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f })
      let text = written { $0.appendStatusLine(status) } + "\r\n"
      #expect(ParsedResponse(text).head.status == status)
    }
  }

  @Test("dates are those of the calendar")
  func dates() {
    #expect(written { $0.append(httpDate: 784_111_777) } == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(written { $0.append(httpDate: 0) } == "Thu, 01 Jan 1970 00:00:00 GMT")
    #expect(written { $0.append(httpDate: -5) } == "Thu, 01 Jan 1970 00:00:00 GMT")
    #expect(written { $0.append(httpDate: 951_782_399) } == "Mon, 28 Feb 2000 23:59:59 GMT")
    #expect(written { $0.append(httpDate: 951_782_400) } == "Tue, 29 Feb 2000 00:00:00 GMT")
    #expect(written { $0.append(httpDate: .max) } == "Fri, 31 Dec 9999 23:59:59 GMT")
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.timeZone = TimeZone(secondsFromGMT: 0)
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    var random = SeededRandom(seed: 9)
    for _ in 0..<3_000 {
      let seconds = Int64.random(in: 0...HTTPDate.latest, using: &random)
      let expected = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
      #expect(written { $0.append(httpDate: seconds) } == expected)
    }
  }

  @Test("field syntax")
  func syntax() {
    for value in ["", "a", "a b\tc", "é", "\"x\""] { #expect(FieldSyntax.isValidValue(value)) }
    for value in [" ", " a", "a ", "\ta", "a\r", "a\r\nb", "a\nb", "\u{0}", "a\u{7f}b"] {
      #expect(!FieldSyntax.isValidValue(value))
    }
    for token in ["a", "X-Y", "!#$%&'*+-.^_`|~1"] { #expect(FieldSyntax.isToken(token)) }
    for token in ["", "a b", "a:", "é", "a\r"] { #expect(!FieldSyntax.isToken(token)) }
    for authority in ["a", "a:1", "[::1]:1"] { #expect(FieldSyntax.isAuthority(authority)) }
    for authority in ["", ":1", "a b", "a@b", "a/b"] { #expect(!FieldSyntax.isAuthority(authority)) }
  }

  @Test("the HTTP/2 preface is told from its start and from all else")
  func preface() {
    let preface = bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    #expect(preface.count == HTTP2Preface.length)
    for count in 0..<preface.count {
      #expect(HTTP2Preface.match(Array(preface[..<count])) == .partial)
      var other = preface
      other[count] ^= 1
      #expect(HTTP2Preface.match(other) == .no)
      #expect(HTTP2Preface.match(Array(other[...count])) == .no)
    }
    #expect(HTTP2Preface.match(preface) == .yes)
    #expect(HTTP2Preface.match(preface + [0]) == .yes)
    #expect(HTTP2Preface.match(bytes("PUT / HTTP/1.1")) == .no)
  }
}
