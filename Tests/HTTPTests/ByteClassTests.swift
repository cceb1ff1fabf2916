import Testing

@testable import HTTP

@Suite("byte classes")
struct ByteClassTests {
  @Test("the table is the grammar, for every byte", arguments: 0..<256)
  func table(_ value: Int) {
    let byte = UInt8(value)
    let isAlnum = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8.contains(byte)
    let kind = ByteClass.of(byte)
    #expect(kind.contains(.token) == (isAlnum || "!#$%&'*+-.^_`|~".utf8.contains(byte)))
    #expect(kind.contains(.fieldValue) == (byte == 9 || (byte >= 0x20 && byte != 0x7f)))
    #expect(kind.contains(.target) == (byte > 0x20 && byte < 0x7f && byte != 0x23))
    #expect(kind.contains(.regName) == (isAlnum || "-._~!$&'()*+,;=".utf8.contains(byte)))
    #expect(kind.contains(.hexDigit) == "0123456789abcdefABCDEF".utf8.contains(byte))
    #expect(kind.contains(.whitespace) == (byte == 9 || byte == 0x20))
  }

  @Test("the masks over eight bytes find the first byte of their kind, wherever it is")
  func words() {
    for position in 0..<8 {
      for value in UInt8.min...UInt8.max {
        var bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 8)
        bytes[position] = value
        let word = bytes.withUnsafeBytes { Bytes($0).word(at: 0) }
        let isControl = value < 0x20 || value == 0x7f
        #expect((Word.controls(word) != 0) == isControl)
        if isControl { #expect(Word.first(Word.controls(word)) == position) }
        #expect((Word.equal(word, to: UInt8(ascii: ":")) != 0) == (value == UInt8(ascii: ":")))
        let isPlain = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-".utf8.contains(value)
        #expect(Word.isPlain(word, 8) == isPlain)
        #expect(Word.isPlain(word, position))
        let lower = value >= 0x41 && value <= 0x5a ? value + 0x20 : value
        #expect(UInt8(truncatingIfNeeded: Word.lowercased(word) >> UInt64(8 * position)) == lower)
      }
    }
  }

  @Test("words near the end read as NUL past it", arguments: 0...20)
  func tails(_ count: Int) {
    let text = (0..<count).map { UInt8($0 + 1) }
    text.withUnsafeBytes { raw in
      let bytes = Bytes(raw)
      for index in 0...count {
        var expected: UInt64 = 0
        for offset in 0..<8 where index + offset < count {
          expected |= UInt64(text[index + offset]) << UInt64(8 * offset)
        }
        #expect(bytes.word(at: index) == expected)
      }
    }
  }
}
