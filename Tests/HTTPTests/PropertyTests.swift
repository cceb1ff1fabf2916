import MeshBase
import Testing

@testable import HTTP

/// Makes heads that are valid by construction, and knows what they say.
struct HeadGenerator {
  var random: SeededRandom

  struct Made {
    var text: String
    var method: String
    var target: String
    var names: [String] = []
    var values: [String] = []
  }

  mutating func pick(_ choices: [String]) -> String { choices[Int.random(in: 0..<choices.count, using: &random)] }

  mutating func word(_ alphabet: String, _ lengths: ClosedRange<Int>) -> String {
    let letters = Array(alphabet)
    return String((0..<Int.random(in: lengths, using: &random)).map { _ in letters.randomElement(using: &random)! })
  }

  mutating func request() -> Made {
    var made = Made(
      text: "", method: pick(["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "X-Y", "TRACE"]), target: "")
    made.target = pick(["/", "/a", "http://web/x?y"]) + word("abc/?=&%2D.~", 0...40)
    made.text = "\(made.method) \(made.target) HTTP/1.1\r\n"
    add("Host", pick(["web", "web:80", "[::1]", "127.0.0.1:11000", ""]), to: &made)
    fields(&made)
    if Bool.random(using: &random) {
      add(pick(["Content-Length", "content-length"]), String(Int.random(in: 0...99_999, using: &random)), to: &made)
    } else if Bool.random(using: &random) {
      add("Transfer-Encoding", "chunked", to: &made)
    }
    made.text += "\r\n"
    return made
  }

  mutating func response() -> Made {
    var made = Made(text: "", method: "GET", target: "")
    made.text =
      "HTTP/1.\(pick(["0", "1"])) \(Int.random(in: 100...999, using: &random)) \(word("abc XYZé", 0...20))\r\n"
    fields(&made)
    add("Content-Length", String(Int.random(in: 0...99_999, using: &random)), to: &made)
    made.text += "\r\n"
    return made
  }

  private mutating func fields(_ made: inout Made) {
    for _ in 0..<Int.random(in: 0...20, using: &random) {
      let known = KnownHeaderTests.named.filter {
        ![.host, .contentLength, .transferEncoding, .connection].contains($0)
      }
      let name =
        Bool.random(using: &random)
        ? known.randomElement(using: &random)!.name.description : "X" + word("abcXYZ019-_!~.", 0...40)
      let core = word("abc,;=\"/ \t()é0189", 0...60)
      add(
        name, String(core.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed()),
        to: &made)
    }
    if Bool.random(using: &random) { add("Connection", pick(["close", "keep-alive", "X, y", "a , close"]), to: &made) }
  }

  private mutating func add(_ name: String, _ value: String, to made: inout Made) {
    made.text += name + ":" + pick(["", " ", "\t", "  "]) + value + pick(["", " ", "\t"]) + "\r\n"
    made.names.append(name)
    made.values.append(value)
  }
}

@Suite("laws of parsing")
struct PropertyTests {
  static let seeds: [UInt64] = [1, 2, 3, 4]

  @Test("what is made of parts is parsed into them", arguments: seeds)
  func roundTrip(_ seed: UInt64) {
    var generator = HeadGenerator(random: SeededRandom(seed: seed))
    for _ in 0..<100 {
      let made = generator.request()
      let request = ParsedRequest(made.text)
      #expect(request.result == .complete, "seed \(seed): \(made.text.debugDescription)")
      #expect(request.text(request.head.methodRange) == made.method)
      #expect(request.text(request.head.target) == made.target)
      #expect(request.head.fields.map { request.text($0.name)! } == made.names)
      #expect(request.head.fields.map { request.text($0.value)! } == made.values)
      #expect(request.head.length == made.text.utf8.count)

      let answer = generator.response()
      let response = ParsedResponse(answer.text)
      #expect(response.result == .complete, "seed \(seed): \(answer.text.debugDescription)")
      #expect(response.head.fields.map { response.text($0.name)! } == answer.names)
      #expect(response.head.fields.map { response.text($0.value)! } == answer.values)
    }
  }

  @Test("a head that has not ended needs more at every length, and what follows it does not matter", arguments: seeds)
  func prefixes(_ seed: UInt64) {
    var generator = HeadGenerator(random: SeededRandom(seed: seed))
    for _ in 0..<8 {
      let text = bytes(generator.request().text)
      let whole = Shown(ParsedRequest(text).head).values
      for count in 0..<text.count { #expect(ParsedRequest(Array(text[..<count])).result == .needMore, "seed \(seed)") }
      for tail in ["", "G", "\r\n", "\u{0}\u{1}\u{2}", String(repeating: "x", count: 100)] {
        #expect(Shown(ParsedRequest(text + bytes(tail)).head).values == whole, "seed \(seed)")
      }
      let answer = bytes(generator.response().text)
      for count in 0..<answer.count {
        #expect(ParsedResponse(Array(answer[..<count])).result == .needMore, "seed \(seed)")
      }
    }
  }

  @Test("a stream of requests is the same requests however it is cut", arguments: seeds)
  func splits(_ seed: UInt64) {
    var generator = HeadGenerator(random: SeededRandom(seed: seed))
    for _ in 0..<20 {
      let heads = (0..<5).map { _ in bytes(generator.request().text) }
      let stream = heads.flatMap { $0 }
      var head = RequestHead()
      var buffered: [UInt8] = []
      var seen: [[UInt8]] = []
      var from = 0
      var resumeAt = 0
      while from < stream.count {
        let to = min(stream.count, from + Int.random(in: 1...60, using: &generator.random))
        buffered += stream[from..<to]
        from = to
        parsing: while !buffered.isEmpty {
          switch head.parse(buffered.span, limits: H1Limits(), resumeAt: resumeAt) {
          case .complete:
            seen.append(Array(buffered[..<head.length]))
            buffered.removeFirst(head.length)
            resumeAt = 0
          case .needMore:
            resumeAt = head.resumeAt
            break parsing
          case .failed(let error):
            Issue.record("seed \(seed): \(error)")
            return
          }
        }
      }
      #expect(seen == heads, "seed \(seed)")
    }
  }

  @Test("a refused head stays refused with more bytes after it", arguments: seeds)
  func refusalIsFinal(_ seed: UInt64) {
    var generator = HeadGenerator(random: SeededRandom(seed: seed))
    for _ in 0..<150 {
      var text = bytes(generator.request().text)
      mutate(&text, &generator.random)
      let whole = ParsedRequest(text)
      for _ in 0..<10 {
        let count = Int.random(in: 0...text.count, using: &generator.random)
        guard case .failed(let early) = ParsedRequest(Array(text[..<count])).result else { continue }
        guard case .failed(let late) = whole.result else {
          Issue.record("seed \(seed): \(early) at \(count) bytes, but accepted: \(text)")
          continue
        }
        #expect(early == late, "seed \(seed)")
      }
    }
  }

  @Test("a mutated head is never accepted with two framings, a fold, or a control in a line", arguments: seeds)
  func mutations(_ seed: UInt64) {
    var generator = HeadGenerator(random: SeededRandom(seed: seed))
    for _ in 0..<1_500 {
      var text = bytes(generator.request().text)
      mutate(&text, &generator.random)
      let request = ParsedRequest(text)
      guard request.result == .complete else { continue }
      expectSound(Array(text[request.head.start..<request.head.length]), request.head.framing, seed)
      #expect(request.head.fields.filter { $0.id == .host }.count == 1)
    }
  }

  private func mutate(_ text: inout [UInt8], _ random: inout SeededRandom) {
    let spice = [
      "\r", "\n", "\r\n", " ", "\t", ":", "\u{0}", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n",
      "Transfer-Encoding:\tchunked\r\n", "Content-Length : 3\r\n", "\r\n ", ",", "Host: x\r\n", "\u{b}", "chunked",
      "HTTP/1.1",
    ]
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      let index = Int.random(in: 0...text.count, using: &random)
      switch Int.random(in: 0..<4, using: &random) {
      case 0: text.insert(contentsOf: bytes(spice.randomElement(using: &random)!), at: index)
      case 1 where index < text.count: text[index] = UInt8.random(in: 0...255, using: &random)
      case 2 where index < text.count: text.remove(at: index)
      default:
        // A line twice, or a line of spice where a line ends.
        let lineEnds = text.indices.dropLast().filter { text[$0] == 13 && text[$0 + 1] == 10 }
        guard let end = lineEnds.randomElement(using: &random) else { continue }
        text.insert(contentsOf: bytes(spice.randomElement(using: &random)!), at: end + 2)
      }
    }
  }

  /// Judges an accepted head by splitting it naively into lines.
  private func expectSound(_ head: [UInt8], _ framing: BodyFraming, _ seed: UInt64) {
    let text = String(decoding: head, as: Unicode.ASCII.self)
    #expect(text.hasSuffix("\r\n\r\n"), "seed \(seed)")
    var lines: [[UInt8]] = [[]]
    for byte in head { if byte == 10 { lines.append([]) } else { lines[lines.count - 1].append(byte) } }
    var lengths: [String] = []
    var codings: [String] = []
    for (number, line) in lines.dropLast(2).enumerated() {
      #expect(line.last == 13 && !line.dropLast().contains(13) && !line.contains(0), "seed \(seed): \(text)")
      if number == 0 { continue }
      let colon = line.firstIndex(of: UInt8(ascii: ":"))
      #expect(colon != nil && colon! > 0 && line[0] > 0x20 && line[colon! - 1] > 0x20, "seed \(seed): \(text)")
      guard let colon else { continue }
      let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
      let value = String(decoding: line[(colon + 1)...], as: UTF8.self)
      let trimmed = value.filter { $0 != " " && $0 != "\t" && $0 != "\r" }
      if name == "content-length" { lengths.append(trimmed) }
      if name == "transfer-encoding" { codings.append(trimmed.lowercased()) }
    }
    switch framing {
    case .none: #expect(lengths.isEmpty && codings.isEmpty, "seed \(seed): \(text)")
    case .length(let length):
      #expect(codings.isEmpty && lengths.count == 1 && UInt64(lengths[0]) == length, "seed \(seed): \(text)")
    case .chunked: #expect(lengths.isEmpty && codings == ["chunked"], "seed \(seed): \(text)")
    case .untilClose: Issue.record("seed \(seed): a request that lasts until close")
    }
  }
}
