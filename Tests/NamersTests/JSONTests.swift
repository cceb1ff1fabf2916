import Foundation
import MeshBase
import Namers
import Testing

@Suite("JSON reader and splitter")
struct JSONTests {
  private func reading<T>(
    _ text: String, _ body: (inout JSONReader) throws(JSONError) -> T
  ) throws(JSONError) -> T {
    let bytes = Array(text.utf8)
    var reader = JSONReader(bytes.span)
    let value = try body(&reader)
    try reader.end()
    return value
  }

  @Test("members are read in any order; what is not asked for is skipped; null and absent are alike")
  func members() throws {
    let text = #" {"x":{"y":[1,"]}"]},"id":"a\/b\n\u00e9","n":-12,"none":null,"list":[1,null,3],"last":[[],{}]} "#
    let result = try reading(text) { reader throws(JSONError) -> String in
      var parts: [String] = []
      guard try reader.beginObject() else { return "" }
      while try reader.nextKey() {
        if reader.isKey("id") {
          parts.append(try reader.string() ?? "nil")
        } else if reader.isKey("n") {
          parts.append("\(try reader.integer() ?? 0)")
        } else if reader.isKey("none") {
          parts.append(try reader.string() ?? "nil")
        } else if reader.isKey("list") {
          parts.append("\(try reader.integers())")
        }
      }
      return parts.joined(separator: "|")
    }
    #expect(result == "a/b\né|-12|nil|[1, 3]")
  }

  @Test(
    "what is wrong is told with its place",
    arguments: [
      (#"{"a" 1}"#, "JSON, byte 5: expected a colon"), (#"{"a":1"#, "JSON, byte 6: the text ends in the middle"),
      (#"{"a":1,}"#, "JSON, byte 7: expected a member's name"),
      (#"[1 2]"#, "JSON, byte 3: expected a comma or the array's end"),
      (#"["\x"]"#, "JSON, byte 2: a control character or an unknown escape in a string"),
      (#"[01]"#, "JSON, byte 1: this is no number"), (#"[1] 2"#, "JSON, byte 4: something follows the value"),
    ])
  func errors(text: String, message: String) {
    #expect(JSONTree(Array(text.utf8)) == nil)
    #expect(throws: JSONError.self) {
      try reading(text) { reader throws(JSONError) in
        do throws(JSONError) { try walk(&reader) } catch {
          #expect(error.description == message)
          throw error
        }
        do throws(JSONError) { try reader.end() } catch {
          #expect(error.description == message)
          throw error
        }
      }
    }
  }

  private func walk(_ reader: inout JSONReader) throws(JSONError) {
    switch try reader.peek() {
    case .object:
      _ = try reader.beginObject()
      while try reader.nextKey() { try walk(&reader) }
    case .array:
      _ = try reader.beginArray()
      while try reader.nextElement() { try walk(&reader) }
    case .string: _ = try reader.string()
    case .number: _ = try reader.double()
    case .boolean: _ = try reader.boolean()
    case .null: try reader.skip()
    }
  }

  @Test("the bounds of 64 bits fit, what is beyond them does not")
  func integers() throws {
    #expect(try reading("9223372036854775807") { r throws(JSONError) in try r.integer() } == .max)
    #expect(try reading("-9223372036854775808") { r throws(JSONError) in try r.integer() } == .min)
    for text in ["9223372036854775808", "-9223372036854775809", "1.0", "1e2"] {
      #expect(throws: JSONError.self) { try reading(text) { r throws(JSONError) in try r.integer() } }
    }
    #expect(try reading("-1.5e2") { r throws(JSONError) in try r.double() } == -150)
  }

  @Test("nesting beyond the limit is refused where values are read")
  func depth() {
    let text = Array((String(repeating: "[", count: 65) + String(repeating: "]", count: 65)).utf8)
    #expect(JSONTree(text) == nil)
    #expect(JSONTree(Array(text[1..<129])) != nil)
  }

  @Test("reads what Foundation reads, to the same value", arguments: 0..<300)
  func agreesWithFoundation(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let value = Self.random(&random, depth: 4)
    let data = try JSONSerialization.data(
      withJSONObject: value, options: seed % 2 == 0 ? [.fragmentsAllowed] : [.fragmentsAllowed, .prettyPrinted])
    let tree = try #require(JSONTree([UInt8](data)), "seed \(seed): \(String(decoding: data, as: UTF8.self))")
    #expect(Self.equal(tree, value), "seed \(seed): \(String(decoding: data, as: UTF8.self))")
  }

  @Test("damaged text keeps the laws", arguments: 0..<300)
  func damaged(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    var object: [String: Any] = ["a": [Self.random(&random, depth: 2), "x", 1]]
    object["b"] = ["c": [Self.random(&random, depth: 1)], "e": Self.random(&random, depth: 1)]
    var bytes = [UInt8](try JSONSerialization.data(withJSONObject: object))
    bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: 0)
    checkJSONLaws(bytes)
    for _ in 0..<1 + random.below(3) {
      let place = random.below(bytes.count)
      switch random.below(3) {
      case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
      case 1 where bytes.count > 1: bytes.remove(at: place)
      default: bytes.insert(Array("{}[]\",:\\0 n".utf8)[random.below(11)], at: place)
      }
    }
    checkJSONLaws(bytes)
  }

  @Test("elements of several arrays and whole values are found in any pieces")
  func splits() {
    let text = #"{"type":"S","s":{"x":[1],"tasks":[{"a":"]"},{"b":[{}]}],"beat":15.0,"gone":null},"tasks":[7]}"#
    for size in [1, 2, 3, 7, 1_000] {
      let bytes = Array(text.utf8)
      let pieces = stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
      let split = splitJSON(pieces, ["s.tasks", "s.beat", "type", "s.gone"])
      #expect(
        split.elements.map { "\($0.path)=\(String(decoding: $0.bytes, as: UTF8.self))" } == [
          #"2="S""#, #"0={"a":"]"}"#, #"0={"b":[{}]}"#, "1=15.0",
        ])
      #expect(split.failure == nil)
    }
  }

  @Test("an array as the whole text has the empty path")
  func wholeArray() {
    #expect(splitJSON([Array("[1,[2],{}]".utf8)], [""]).elements.map(\.bytes.count) == [1, 3, 2])
  }

  @Test("a text that is cut off, and an element beyond the limit, are told")
  func limits() {
    #expect(splitJSON([Array(#"{"apps":[{"a":1}"#.utf8)], ["apps"]).failure?.cause == .endOfText)
    let long = Array(#"{"apps":["xxxxxxxxxxxxxxxxxxxxxxx"]}"#.utf8)
    #expect(splitJSON([long], ["apps"], elementBytesMax: 10).failure?.cause == .elementTooLarge(bytesMax: 10))
    let pieces = [Array(long[..<15]), Array(long[15...])]
    #expect(splitJSON(pieces, ["apps"], elementBytesMax: 10).failure?.cause == .elementTooLarge(bytesMax: 10))
  }

  private static func random(_ random: inout SeededRandom, depth: Int) -> Any {
    switch random.below(depth == 0 ? 5 : 7) {
    case 0: return NSNull()
    case 1: return random.below(2) == 0
    case 2: return random.below(2_000_000) - 1_000_000
    case 3: return Double(random.below(1_000_000)) / 1_024
    case 4:
      let alphabet = Array("ab\"\\/\n\t\u{1}é€😀 {}[]:,")
      return String((0..<random.below(12)).map { _ in alphabet[random.below(alphabet.count)] })
    case 5: return (0..<random.below(4)).map { _ in self.random(&random, depth: depth - 1) }
    default:
      var object: [String: Any] = [:]
      for name in ["a", "b", "c", "é\"", "long name"].prefix(random.below(6)) {
        object[name] = self.random(&random, depth: depth - 1)
      }
      return object
    }
  }

  private static func equal(_ tree: JSONTree, _ value: Any) -> Bool {
    switch tree {
    case .null: return value is NSNull
    case .string(let text): return value as? String == text
    case .boolean(let flag): return value as? Bool == flag
    case .number(let number): return (value as? Int).map(Double.init) ?? (value as? Double) == number
    case .array(let elements):
      guard let others = value as? [Any], others.count == elements.count else { return false }
      return zip(elements, others).allSatisfy { equal($0, $1) }
    case .object(let members):
      guard let others = value as? [String: Any], others.count == members.count else { return false }
      return members.allSatisfy { member in others[member.name].map { equal(member.value, $0) } ?? false }
    }
  }
}
