#if canImport(Namers)
  import Namers
#endif

/// What holds for the JSON reader and the splitter on any input. The first byte says where the input is cut in two; a
/// broken law ends the process.
func checkJSONLaws(_ input: [UInt8]) {
  guard let first = input.first else { return }
  let text = Array(input[1...])
  let value = JSONTree(text)
  if value != nil {
    var skipping = JSONReader(text.span)
    precondition((try? skipping.end()) != nil, "what can be read cannot be skipped")
  }
  let cut = Int(first) * text.count / 255
  for paths in [["a", "b.c", "b.e"], [""]] {
    let whole = splitJSON([text], paths)
    precondition(splitJSON([Array(text[..<cut]), Array(text[cut...])], paths).isSame(whole), "depends on the cut")
    precondition(splitJSON(text.map { [$0] }, paths).isSame(whole), "depends on pieces of one byte")
    guard let value else { continue }
    precondition(whole.failure == nil, "what can be read cannot be split: \(String(describing: whole.failure))")
    guard !value.hasOddMembers else { continue }
    for (index, path) in paths.enumerated() {
      let found = whole.elements.filter { $0.path == index }.map { JSONTree($0.bytes) }
      precondition(found == value.elements(path).map { $0 }, "not the elements of \(path)")
    }
  }
}

struct JSONSplit {
  var elements: [(path: Int, bytes: [UInt8])] = []
  var failure: JSONError?

  /// Where something is wrong, the elements before it are the same; the place that is named may differ.
  func isSame(_ other: JSONSplit) -> Bool {
    (failure == nil) == (other.failure == nil) && elements.count == other.elements.count
      && zip(elements, other.elements).allSatisfy { $0.path == $1.path && $0.bytes == $1.bytes }
  }
}

func splitJSON(_ pieces: [[UInt8]], _ paths: [String], elementBytesMax: Int = 1 << 20) -> JSONSplit {
  var split = JSONSplit()
  var splitter = JSONElementSplitter(paths: paths, elementBytesMax: elementBytesMax)
  do throws(JSONError) {
    func take(_ path: Int, _ element: Span<UInt8>) {
      split.elements.append((path, element.withUnsafeBufferPointer { Array($0) }))
    }
    for piece in pieces {
      try splitter.feed(piece.span, take)
      precondition(splitter.heldBytes <= elementBytesMax, "holds more than the limit")
    }
    try splitter.finish(take)
  } catch {
    split.failure = error
  }
  return split
}

/// A whole JSON value, read with `JSONReader`.
indirect enum JSONTree: Equatable {
  case object([Member])
  case array([JSONTree])
  case string(String)
  case number(Double)
  case boolean(Bool)
  case null

  struct Member: Equatable {
    var name: String
    var isOdd: Bool
    var value: JSONTree
  }

  /// `nil` if the text is not JSON.
  init?(_ text: [UInt8]) {
    var reader = JSONReader(text.span)
    do throws(JSONError) {
      let value = try JSONTree.read(&reader, text)
      try reader.end()
      self = value
    } catch {
      return nil
    }
  }

  private static func read(_ reader: inout JSONReader, _ text: [UInt8]) throws(JSONError) -> JSONTree {
    switch try reader.peek() {
    case .object:
      var members: [Member] = []
      _ = try reader.beginObject()
      while try reader.nextKey() {
        let name = reader.key
        let isOdd = text[..<reader.offset].reversed().drop { $0 != 0x22 }.dropFirst().prefix { $0 != 0x22 }
          .contains(0x5c)
        members.append(Member(name: name, isOdd: isOdd, value: try read(&reader, text)))
      }
      return .object(members)
    case .array:
      var elements: [JSONTree] = []
      _ = try reader.beginArray()
      while try reader.nextElement() { elements.append(try read(&reader, text)) }
      return .array(elements)
    case .string: return .string(try reader.string()!)
    case .number: return .number(try reader.double()!)
    case .boolean: return .boolean(try reader.boolean()!)
    case .null:
      try reader.skip()
      return .null
    }
  }

  /// Members with one name twice or with escapes, anywhere: the splitter may see those otherwise.
  var hasOddMembers: Bool {
    switch self {
    case .object(let members):
      Set(members.map(\.name)).count < members.count || members.contains { $0.isOdd || $0.value.hasOddMembers }
    case .array(let elements): elements.contains { $0.hasOddMembers }
    default: false
    }
  }

  /// What a splitter should hand out for a path.
  func elements(_ path: String) -> [JSONTree] {
    var value = self
    for name in path.split(separator: ".") {
      guard case .object(let members) = value, let member = members.first(where: { $0.name == name }) else {
        return []
      }
      value = member.value
    }
    if case .array(let elements) = value { return elements }
    return value == .null ? [] : [value]
  }
}
