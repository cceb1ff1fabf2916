import Foundation
import MeshBase
import Testing

@Suite struct Base64Tests {
  @Test("agrees with Foundation in both directions; the URL's alphabet has no padding", arguments: UInt64(1)...200)
  func agrees(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let bytes = (0..<random.below(40)).map { _ in UInt8(random.below(256)) }
    let expected = Data(bytes).base64EncodedString()
    #expect(Base64.encode(bytes) == expected, "seed \(seed)")
    #expect(Base64.decode(expected) == bytes, "seed \(seed)")
    let safe = expected.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    #expect(Base64.encode(bytes, isURLSafe: true) == safe, "seed \(seed)")
    #expect(Base64.decode(safe) == bytes, "seed \(seed)")
    #expect(Base64.decode(expected + "*") == nil)
    #expect(Array(safe.utf8).withUnsafeBytes(Base64.decodeURLSafe) == bytes, "seed \(seed)")
  }

  @Test(
    "the strict one takes the URL's alphabet without padding only",
    arguments: ["AA==", "AA+A", "AA/A", "AAAAA", "A", "AA A", "AA*A", "AA\u{0}A"])
  func strict(text: String) {
    #expect(Array(text.utf8).withUnsafeBytes(Base64.decodeURLSafe) == nil)
  }
}
