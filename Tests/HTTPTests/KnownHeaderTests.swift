import Testing

@testable import HTTP

@Suite("known headers")
struct KnownHeaderTests {
  private func recognise(_ name: [UInt8]) -> KnownHeader {
    name.withUnsafeBytes { Bytes($0).knownHeader(ByteRange(from: 0, to: name.count)) }
  }

  private func words(_ name: String) -> NameWords {
    let padded = bytes(name) + [UInt8](repeating: 0, count: 24 - name.utf8.count)
    return padded.withUnsafeBytes { raw in
      let bytes = Bytes(raw)
      return NameWords(
        bytes.word(at: 0), bytes.word(at: 8), NameWords.tagged(bytes.word(at: 16), length: name.utf8.count))
    }
  }

  static let named = KnownHeader.allCases.filter { $0 != .other && $0 != .l5dOther }

  @Test("each name is recognised in any letter case, within a head too", arguments: named)
  func recognised(_ header: KnownHeader) {
    let name = header.name.description
    for spelling in [name, name.lowercased(), name.uppercased()] {
      #expect(recognise(bytes(spelling)) == header)
      // A response, because it may carry any of them; values which none of the rules refuses.
      let value =
        switch header {
        case .contentLength: "0"
        case .transferEncoding: "chunked"
        default: "a"
        }
      let response = ParsedResponse("HTTP/1.1 200 OK\r\nX: y\r\n\(spelling): \(value)\r\n\r\n")
      #expect(response.result == .complete)
      #expect(response.head.fields.last?.id == header)
      #expect(response.text(response.head.value(of: header)) == value)
      #expect(response.head.index(of: header) == 1)
    }
  }

  @Test("a name with one byte changed, added or taken away is another name", arguments: named)
  func nearMisses(_ header: KnownHeader) {
    let name = bytes(header.name.description)
    let exact = Set(KnownHeaderTests.named.map { $0.name.description.lowercased() })
    for position in name.indices {
      for value in UInt8.min...UInt8.max {
        var other = name
        other[position] = value
        if exact.contains(String(decoding: other, as: UTF8.self).lowercased()) { continue }
        #expect(recognise(other) != header, "byte \(position) of \(header.name) as \(value)")
      }
    }
    #expect(recognise(Array(name.dropLast())) != header)
    #expect(recognise(name + [0]) != header)
    #expect(recognise(name + [UInt8(ascii: "s")]) != header)
    #expect(recognise([0] + name) != header)
  }

  @Test("the tables are what the names make them, and no two names share a slot")
  func tables() {
    #expect(KnownHeader.spellings.count == KnownHeader.allCases.count)
    #expect(KnownHeader.allCases.count <= 64)
    var slots: [Int: KnownHeader] = [:]
    for header in KnownHeaderTests.named {
      let name = header.name.description.lowercased()
      let expected = words(name)
      let spelling = KnownHeader.spellings[Int(header.rawValue)]
      #expect(spelling.lower.first == expected.first)
      #expect(spelling.lower.second == expected.second)
      #expect(spelling.lower.third == expected.third)
      let slot = KnownHeader.slot(expected)
      #expect(slots.updateValue(header, forKey: slot) == nil)
      #expect(KnownHeader.candidates[slot] == header)
    }
  }

  @Test("any other name in l5d- is known to be one of linkerd's, long or short")
  func l5d() {
    for name in ["l5d-x", "L5D-Something", "l5d-a-name-that-is-longer-than-twenty-four-bytes", "l5d-ctx-tracer"] {
      #expect(recognise(bytes(name)) == .l5dOther)
      #expect(ParsedResponse("HTTP/1.1 200 OK\r\n\(name): 1\r\n\r\n").head.fields.first?.id == .l5dOther)
    }
    for name in ["l5d", "xl5d-a", "l5dx", "l5d_dtab"] { #expect(recognise(bytes(name)) == .other) }
  }

  @Test("sets hold what they are made of")
  func sets() {
    let set: KnownHeaderSet = [.host, .l5dOther]
    for header in KnownHeader.allCases { #expect(set.contains(header) == (header == .host || header == .l5dOther)) }
    #expect(KnownHeaderSet.l5d.contains(.l5dSample))
    #expect(!KnownHeaderSet.hopByHop.contains(.host))
    #expect(KnownHeaderSet.hopByHop.contains(.te))
  }
}
