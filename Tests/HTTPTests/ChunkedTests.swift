import MeshBase
import Testing

@testable import HTTP

/// A chunked body decoded from pieces.
struct Decoded: Equatable {
  var data: [UInt8] = []
  var trailers: String?
  var rule: H1Rule?
  var isFinished = false
  /// Bytes after the body.
  var rest = 0

  /// Splits `raw` at `cuts`, which ascend.
  init(_ raw: [UInt8], cuts: [Int] = [], limits: H1Limits = H1Limits()) {
    var decoder = ChunkedDecoder(limits: limits)
    var from = 0
    for to in cuts + [raw.count] {
      let piece = Array(raw[from..<to])
      var index = 0
      loop: while true {
        let step = decoder.next(piece.span, from: index)
        index = step.consumedTo
        switch step.event {
        case .data(let range):
          #expect(!range.isEmpty && range.upperBound == step.consumedTo)
          data += piece[range]
        case .needMore:
          #expect(step.consumedTo == piece.count)
          break loop
        case .end:
          isFinished = true
          trailers = decoder.trailers.map { String(decoding: $0.readable, as: UTF8.self) }
          rest = piece.count - index + raw.count - to
          return
        case .failed(let error):
          rule = error.rule
          #expect(error.offset >= 0 && Int(error.offset) < piece.count)
          let again = decoder.next(piece.span, from: index)
          guard case .failed(let repeated) = again.event else {
            Issue.record("a broken body goes on")
            return
          }
          #expect(repeated.rule == error.rule)
          return
        }
      }
      from = to
    }
  }

  init(_ text: String, limits: H1Limits = H1Limits()) { self.init(bytes(text), limits: limits) }
}

@Suite("chunked bodies")
struct ChunkedTests {
  static let good: [(String, String)] = [
    ("0\r\n\r\n", ""), ("5\r\nhello\r\n0\r\n\r\n", "hello"), ("000005\r\nhello\r\n000\r\n\r\n", "hello"),
    ("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"), ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789"),
    ("a\r\n0123456789\r\n0\r\n\r\n", "0123456789"), ("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
    ("5;a\r\nhello\r\n0;b\r\n\r\n", "hello"), ("5;a=b;c=\"d\\\"\t;\\\\é\"\r\nhello\r\n0\r\n\r\n", "hello"),
    ("5 ; a = b ; c\r\nhello\r\n0\r\n\r\n", "hello"), ("5;a;b;c\r\nhello\r\n0\r\n\r\n", "hello"),
    ("5;a=\"\"\r\nhello\r\n0\r\n\r\n", "hello"), ("5\t;a\r\nhello\r\n0\r\n\r\n", "hello"),
    ("5;a=\"x\" ;b\r\nhello\r\n0\r\n\r\n", "hello"),
  ]

  @Test("valid bodies, whole and byte by byte", arguments: good)
  func valid(_ text: String, _ content: String) {
    for cuts in [[], Array(1..<text.utf8.count)] {
      let decoded = Decoded(bytes(text), cuts: cuts)
      #expect(decoded.isFinished)
      #expect(decoded.rule == nil)
      #expect(String(decoding: decoded.data, as: UTF8.self) == content)
      #expect(decoded.trailers == nil)
    }
    #expect(Decoded(text + "GET / HT").rest == 8)
  }

  static let bad: [Refusal] = [
    Refusal("\r\n", .badChunkSize), Refusal(";a\r\n", .badChunkSize), Refusal("g\r\n", .badChunkSize),
    Refusal(" 5\r\n", .badChunkSize), Refusal("0x5\r\n", .badChunkSize), Refusal("+5\r\n", .badChunkSize),
    Refusal("-5\r\n", .badChunkSize), Refusal("5g\r\n", .badChunkSize), Refusal("5\u{0}\r\n", .badChunkSize),
    Refusal("5,5\r\n", .badChunkSize), Refusal("5\n", .badChunkLineEnd), Refusal("5\rx", .badChunkLineEnd),
    Refusal("5\r\r\n", .badChunkLineEnd), Refusal("5 \r\n", .badChunkExtension), Refusal("5 5\r\n", .badChunkExtension),
    Refusal("5;\r\n", .badChunkExtension), Refusal("5;=b\r\n", .badChunkExtension),
    Refusal("5;a=\r\n", .badChunkExtension), Refusal("5;a=b=c\r\n", .badChunkExtension),
    Refusal("5;a b\r\n", .badChunkExtension), Refusal("5;a\n", .badChunkLineEnd),
    Refusal("5;a=b\n", .badChunkLineEnd), Refusal("5;a=\"b\nc\"\r\n", .badChunkLineEnd),
    Refusal("5;a=\"b\rc\"\r\n", .badChunkExtension), Refusal("5;a=\"b\"c\r\n", .badChunkExtension),
    Refusal("5;a=\"b\r\n", .badChunkExtension), Refusal("5;a=\"\\\u{1}\"\r\n", .badChunkExtension),
    Refusal("5;a=b \r\n", .badChunkExtension), Refusal("5;é\r\n", .badChunkExtension),
    Refusal("8000000000000000\r\n", .chunkSizeTooLarge), Refusal("10000000000000000\r\n", .chunkSizeTooLarge),
    Refusal("10000000000000005\r\nhello\r\n", .chunkSizeTooLarge),
    Refusal("ffffffffffffffff\r\n", .chunkSizeTooLarge), Refusal("fffffffffffffffffffffffff\r\n", .chunkSizeTooLarge),
    Refusal("5\r\nhelloX\r\n", .junkAfterChunk), Refusal("5\r\nhello\n", .junkAfterChunk),
    Refusal("5\r\nhello\rX", .junkAfterChunk), Refusal("5\r\nhello0\r\n\r\n", .junkAfterChunk),
    Refusal("5\r\nhello\r\n\r\n", .badChunkSize), Refusal("0\r\n\n", .bareLF), Refusal("0\r\n\rX", .bareCR),
    Refusal("0\r\nX\r\n\r\n", .missingColon), Refusal("0\r\nX: y\n\r\n", .bareLF),
    Refusal("0\r\nX : y\r\n\r\n", .spaceBeforeColon), Refusal("0\r\nX: y\r\n z\r\n\r\n", .obsFold),
    Refusal("0\r\n X: y\r\n\r\n", .whitespaceBeforeFirstField), Refusal("0\r\nX: a\u{0}\r\n\r\n", .badValueByte),
    Refusal("0\r\n: a\r\n\r\n", .emptyName), Refusal("0\r\nX: a\rb\r\n\r\n", .bareCR),
    Refusal("0\r\nGET / HTTP/1.1\r\n\r\n", .badName),
  ]

  @Test("a body that breaks a rule is refused, whole and byte by byte", arguments: bad)
  func refused(_ refusal: Refusal) {
    #expect(Decoded(refusal.raw).rule == refusal.rule)
    #expect(Decoded(refusal.raw, cuts: Array(1..<refusal.raw.count)).rule == refusal.rule)
  }

  @Test("the largest size is below 2^63, and a chunk of it is passed on as it comes")
  func largest() {
    var decoder = ChunkedDecoder(limits: H1Limits())
    let start = bytes("7fffffffffffffff\r\nab")
    #expect(decoder.next(start, from: 0) == ChunkedDecoder.Step(.data(18..<20), 20))
    #expect(decoder.next(start, from: 20) == ChunkedDecoder.Step(.needMore, 20))
  }

  @Test("size lines have a limit, and so has their sum over tiny chunks")
  func limits() {
    let limits = H1Limits(chunkLineBytesMax: 10)
    #expect(Decoded("0000000001\r\na\r\n0\r\n\r\n", limits: limits).data == bytes("a"))
    #expect(Decoded("00000000001\r\na\r\n0\r\n\r\n", limits: limits).rule == .chunkLineTooLong)
    #expect(Decoded("1;abcdefgh\r\na\r\n0\r\n\r\n", limits: limits).data == bytes("a"))
    #expect(Decoded("1;abcdefghi\r\na\r\n0\r\n\r\n", limits: limits).rule == .chunkLineTooLong)
    #expect(Decoded("1;abcdefgh;\r\na\r\n0\r\n\r\n", limits: limits).rule == .chunkLineTooLong)
    let padded = "1;" + String(repeating: "x", count: 200) + "\r\na\r\n"
    #expect(Decoded(String(repeating: padded, count: 50)).data.count == 50)
    #expect(Decoded(String(repeating: padded, count: 500)).rule == .chunkLineTooLong)
    // Tiny chunks without extensions are wasteful, not hostile.
    #expect(Decoded(String(repeating: "1\r\na\r\n", count: 10_000) + "0\r\n\r\n").data.count == 10_000)
  }

  @Test("trailers are collected; those that frame, route or authenticate are dropped")
  func trailers() {
    let text =
      "1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Length: 5\r\nHost: x\r\nl5d-dtab: /a=>/b\r\nGrpc-Status: 0\r\n"
      + "Authorization: b\r\ntransfer-encoding: chunked\r\nConnection: X-Sum\r\n\r\nrest"
    for cuts in [[], Array(1..<text.utf8.count)] {
      let decoded = Decoded(bytes(text), cuts: cuts)
      #expect(decoded.isFinished)
      #expect(decoded.trailers == "X-Sum: 1\r\nGrpc-Status: 0\r\n")
      #expect(decoded.rest == 4)
    }
    #expect(Decoded("0\r\nHost: x\r\n\r\n").trailers == nil)
    let limits = H1Limits(trailerBytesMax: 8)
    #expect(Decoded("0\r\nX: abc\r\n\r\n", limits: limits).trailers == "X: abc\r\n")
    #expect(Decoded("0\r\nX: abcd\r\n\r\n", limits: limits).rule == .trailersTooLong)
    let many = String(repeating: "X: y\r\n", count: 129)
    #expect(Decoded("0\r\n\(many)\r\n").rule == .tooManyFields)
  }

  @Test("what is encoded in random chunks is decoded from random pieces", arguments: [1, 2, 3, 4] as [UInt64])
  func roundTrip(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    for round in 0..<100 {
      let content = (0..<Int.random(in: 0...400, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      let buffer = ByteBuffer()
      var index = 0
      while index < content.count {
        let end = min(content.count, index + Int.random(in: 0...70, using: &random))
        buffer.appendChunk(content[index..<end].span)
        index = end
      }
      let trailers = ByteBuffer()
      if Bool.random(using: &random) { trailers.appendField("X-Sum", decimal: UInt64(round)) }
      buffer.appendLastChunk(trailers: trailers.readable)
      let raw = Array(buffer.readable) + bytes("next")
      let cuts = (0..<Int.random(in: 0...20, using: &random)).map { _ in Int.random(in: 0...raw.count, using: &random) }
      let decoded = Decoded(raw, cuts: cuts.sorted())
      #expect(decoded.data == content, "seed \(seed), round \(round)")
      #expect(decoded.isFinished, "seed \(seed), round \(round)")
      #expect(decoded.rest == 4, "seed \(seed), round \(round)")
      #expect(decoded.trailers == (trailers.isEmpty ? nil : "X-Sum: \(round)\r\n"), "seed \(seed), round \(round)")
    }
  }
}
