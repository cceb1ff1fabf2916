import HTTP
import MeshBase
import Testing

@Suite("server-sent events")
struct ServerSentEventTests {
  private func events(_ text: String, limit: Int = 1_000) -> [String] {
    serverSentEvents(in: [Array(text.utf8)], eventBytesMax: limit)
      .map { "\($0.type):\(String(decoding: $0.data, as: UTF8.self))" + ($0.isOversized ? "!" : "") }
  }

  @Test("CR, LF and CRLF end lines alike", arguments: ["\n", "\r", "\r\n"])
  func lineEnds(end: String) {
    #expect(events("event: a\(end)data: {}\(end)\(end)data: x\(end)data:y\(end)\(end)") == ["a:{}", "message:x\ny"])
  }

  @Test("keep-alives of bare line ends, comments and unknown fields give no event")
  func keepAlives() {
    #expect(events("\r\n\r\n: hi\r\n\r\nfoo: 1\r\nevent: lost\r\n\r\ndata: 1\r\n\r\n\r\n\r\n") == ["message:1"])
  }

  @Test("an event that has not ended is not given") func unfinished() { #expect(events("data: 1\n") == []) }

  @Test("a byte order mark at the beginning is no part of the first field")
  func byteOrderMark() { #expect(events("\u{feff}data: 1\n\n") == ["message:1"]) }

  @Test("an event beyond the limit comes without its data, and the next one whole")
  func oversized() {
    let long = String(repeating: "x", count: 50)
    #expect(events("event: e\ndata: \(long)\ndata: 1\n\ndata: 2\n\n", limit: 40) == ["e:!", "message:2"])
    #expect(events("event: e\ndata: aaaaaaaaaaaaaaaa\ndata: aaaaaaaaaaaaaaaa\n\n", limit: 25) == ["e:!"])
  }

  @Test("the id stays for later events; a retry field is kept")
  func idAndRetry() {
    let text = Array("id: 7\ndata: a\n\ndata: b\nretry: 1500\n\n".utf8)
    var parser = ServerSentEventParser()
    var index = 0
    #expect(parser.next(text.span, from: &index)?.id == "7")
    #expect(parser.next(text.span, from: &index)?.id == "7")
    #expect(parser.retryMilliseconds == 1_500)
  }

  @Test("where the input is cut does not matter", arguments: 0..<200)
  func cuts(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    let alphabet = Array("data: event:id:retry:\r\n\r\n\r\n:x1 ".utf8)
    var input: [UInt8] = [UInt8(truncatingIfNeeded: random.next())]
    for _ in 0..<random.below(200) { input.append(alphabet[random.below(alphabet.count)]) }
    checkServerSentEventLaws(input)
  }
}

@Suite("RecordIO")
struct RecordIOTests {
  private func read(_ text: String, max: UInt64 = 1_000) -> RecordIOReading {
    recordIO(in: [Array(text.utf8)], recordBytesMax: max)
  }

  @Test("records follow each other; empty lines and an empty record are tolerated")
  func records() {
    let reading = read("5\nhello\n\n0\n2\r\nab")
    #expect(reading.records.map { String(decoding: $0, as: UTF8.self) } == ["hello", "", "ab"])
    #expect(reading.failure == nil && !reading.isOpen)
  }

  @Test("a record that is cut off is seen")
  func cutOff() { #expect(read("5\nhel").isOpen && read("5").isOpen && !read("5\nhello").isOpen) }

  @Test("a length that is none, too long or too large ends the stream with a clear error")
  func failures() {
    #expect(read("HTTP/1.1").failure == .notALength(byte: 0x48))
    #expect(read("0000000000001\na").failure == .lengthTooLong(digitsMax: 12))
    #expect(read("1001\na").failure == .recordTooLarge(bytes: 1_001, max: 1_000))
    #expect("\(RecordIOError.recordTooLarge(bytes: 2, max: 1))" == "a record has 2 bytes, more than the limit of 1")
  }

  @Test("where the input is cut does not matter", arguments: 0..<200)
  func cuts(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    var input: [UInt8] = [UInt8(truncatingIfNeeded: random.next())]
    for _ in 0..<random.below(8) {
      let length = random.below(30)
      input += Array("\(length)\n".utf8) + (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      if random.below(10) == 0 { input.append(UInt8(truncatingIfNeeded: random.next())) }
    }
    checkRecordIOLaws(input)
  }
}
