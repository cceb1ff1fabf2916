import MeshBase
import Testing

@testable import Telemetry

struct TextWriterTests {
  private func written(_ body: (inout TextWriter) -> Void) -> String {
    var writer = TextWriter(capacity: 1)
    body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test("numbers are written as Swift writes them")
  func numbers() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    var values: [UInt64] = [0, 9, 10, 99, 100, 9_999_999_999_999_999_999, 10_000_000_000_000_000_000, .max]
    for _ in 0..<10_000 { values.append(random.next() >> (random.next() % 64)) }
    for value in values {
      #expect(written { $0.number(value) } == value.description, "seed \(seed)")
      let signed = Int(bitPattern: UInt(value))
      #expect(written { $0.number(signed) } == signed.description, "seed \(seed)")
    }
  }

  @Test(
    "a decimal has no trailing zeros",
    arguments: [
      (0 as UInt64, 6, "0"), (1_500, 6, "0.0015"), (1_000_000, 6, "1"), (12_345_678, 6, "12.345678"), (5, 0, "5"),
      (7, 9, "0.000000007"),
    ])
  func decimals(value: UInt64, places: Int, text: String) {
    #expect(written { $0.decimal(value, places) } == text)
  }

  @Test("doubles are exact, and what is no number is said in each format's way")
  func doubles() {
    #expect(written { $0.prometheus(3) } == "3")
    #expect(written { $0.prometheus(-0.25) } == "-0.25")
    #expect(written { $0.prometheus(1.5e300) } == "1.5e+300")
    #expect(written { $0.prometheus(.nan) } == "NaN")
    #expect(written { $0.prometheus(-.infinity) } == "-Inf")
    #expect(written { $0.json(.infinity) } == "null")
    #expect(written { $0.json(0.1) } == "0.1")
  }

  @Test("labels escape backslash, quote and line feed; JSON escapes control bytes as well")
  func escapes() {
    #expect(written { $0.labelValue("a\\b\"c\nd\u{e9}") } == "a\\\\b\\\"c\\nd\u{e9}")
    #expect(written { $0.json("a\\b\"c\n\u{1f}\u{e9}".utf8) } == "a\\\\b\\\"c\\u000a\\u001f\u{e9}")
  }
}
