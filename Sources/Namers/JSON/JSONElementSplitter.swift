/// Finds values in a JSON text that comes in pieces, so that neither the text nor a tree of it is ever in memory.
///
/// Each path names a value by the members that lead to it, joined by dots: `apps`,
/// `subscribed.get_state.get_tasks.tasks`. If the value is an array, its elements are handed out one by one; any other
/// value but null is handed out whole. What is handed out lies in one stretch, in the piece itself where it can, and is
/// lent for the call; it is not checked beyond balanced brackets: `JSONReader` does that. An array on the way to a
/// path's value is passed through element by element: `frameworks.tasks` are the tasks of all frameworks.
/// ```
/// var splitter = JSONElementSplitter(paths: ["apps"])
/// while let piece = try await stream.next() {
///   try splitter.feed(piece.span) { path, element in … }
/// }
/// try splitter.finish()                   // throws if the text was cut off
/// ```
/// Holds at most one element: `elementBytesMax` bounds it. A member whose name is written with escapes is on no path.
public struct JSONElementSplitter: Sendable {
  /// A place on the way to a path's value.
  private struct Node: Sendable {
    var name: [UInt8]
    var children: [Int] = []
    var path: Int?
  }

  private enum State: Sendable {
    /// Before a value.
    case value
    /// Behind `{`: a name, or the end.
    case nameOrEnd
    /// Behind a comma in an object.
    case name
    /// Inside a name; `isEscaped`: behind a backslash.
    case inName(isEscaped: Bool)
    case colon
    /// Behind a member's value, or an element.
    case afterItem
    /// Behind `[`.
    case elementOrEnd
    /// Inside a value that is handed out or passed over.
    case inside
    case done
  }

  private var nodes: [Node] = [Node(name: [])]
  private let elementBytesMax: Int
  private static let nameBytesMax = 256

  private var state = State.value
  /// The objects and arrays that are open and on the way to a path's value, outermost first: nodes, negated bit by bit
  /// for an array.
  private var open: [Int] = []
  /// Of `open`: only so that hostile nesting stays bounded.
  private static let openMax = 64
  /// Of the value that comes next; `nil`: no path leads there.
  private var node: Int? = 0
  /// The path whose array is open.
  private var array: Int?
  private var name: [UInt8] = []
  private var nameIsOdd = false

  // The value that is being passed.
  /// The path it is handed out for; `nil`: passed over.
  private var captured: Int?
  /// Its beginning, as far as it came with pieces before.
  private var held: [UInt8] = []
  private var nesting = 0
  private var inString = false
  private var isEscaped = false
  /// A number or a word: ends before a comma, a bracket or a blank.
  private var isScalar = false
  /// Of the present piece, in the whole text.
  private var base = 0

  /// A path is a text of names joined by dots; none may be the beginning of another.
  public init(paths: [String], elementBytesMax: Int = 16 << 20) {
    self.elementBytesMax = elementBytesMax
    for (index, path) in paths.enumerated() {
      var place = 0
      for part in path.utf8.split(separator: UInt8(ascii: ".")) {
        precondition(nodes[place].path == nil, "\(path) goes on behind another path")
        if let known = nodes[place].children.first(where: { nodes[$0].name.elementsEqual(part) }) {
          place = known
        } else {
          nodes.append(Node(name: Array(part)))
          nodes[place].children.append(nodes.count - 1)
          place = nodes.count - 1
        }
      }
      precondition(nodes[place].path == nil && nodes[place].children.isEmpty, "\(path) is given twice or goes on")
      nodes[place].path = index
    }
  }

  /// Begins a new text.
  public mutating func reset() {
    state = .value
    open.removeAll(keepingCapacity: true)
    node = 0
    array = nil
    captured = nil
    held = []
    nesting = 0
    inString = false
    isEscaped = false
    base = 0
  }

  /// Whether the text's value has ended.
  public var isDone: Bool { if case .done = state { true } else { false } }

  /// Bytes held back until an element is whole.
  public var heldBytes: Int { held.count }

  /// The text ends here: throws if it was cut off. A number or a word that is the whole text ends with it, and only then
  /// is handed out.
  public mutating func finish(
    _ take: (_ path: Int, _ element: Span<UInt8>) throws(JSONError) -> Void = { _, _ in }
  ) throws(JSONError) {
    if case .inside = state, isScalar, open.isEmpty, array == nil {
      let element = held
      held = []
      state = .done
      if let captured, !Self.isNull(element.span) { try take(captured, element.span) }
    }
    if !isDone { throw JSONError(.endOfText, at: base) }
  }

  /// Goes on with a piece. `take` is given the path's index and one element; what it throws ends the call.
  public mutating func feed(
    _ piece: Span<UInt8>, _ take: (_ path: Int, _ element: Span<UInt8>) throws(JSONError) -> Void
  ) throws(JSONError) {
    var index = 0
    if case .inside = state { try pass(piece, from: &index, start: 0, take) }
    while index < piece.count {
      let byte = piece[index]
      if byte <= 0x20, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
        if case .inName = state {
        } else {
          index += 1
          continue
        }
      }
      switch state {
      case .value:
        try beginValue(byte, at: index)
        if case .inside = state {
          let start = index
          try pass(piece, from: &index, start: start, take)
        } else {
          index += 1
        }
      case .elementOrEnd:
        if byte == 0x5d {
          closeArray()
          index += 1
        } else {
          beginElement()
        }
      case .nameOrEnd, .name:
        if byte == 0x22 {
          name.removeAll(keepingCapacity: true)
          nameIsOdd = false
          state = .inName(isEscaped: false)
        } else if byte == 0x7d, case .nameOrEnd = state {
          closeObject()
        } else {
          throw JSONError(.expected("a member's name"), at: base + index)
        }
        index += 1
      case .inName(let isEscaped):
        takeNameByte(byte, isEscaped)
        index += 1
      case .colon:
        guard byte == 0x3a else { throw JSONError(.expected("a colon"), at: base + index) }
        state = .value
        index += 1
      case .afterItem:
        if byte == 0x2c {
          if isInArray { beginElement() } else { state = .name }
        } else if isInArray, byte == 0x5d {
          closeArray()
        } else if !isInArray, byte == 0x7d {
          closeObject()
        } else {
          throw JSONError(.expected("a comma or the end"), at: base + index)
        }
        index += 1
      case .inside: try pass(piece, from: &index, start: index, take)
      case .done: throw JSONError(.trailingBytes, at: base + index)
      }
    }
    base += piece.count
  }

  private mutating func beginValue(_ byte: UInt8, at index: Int) throws(JSONError) {
    captured = array
    if array == nil, let node {
      captured = nodes[node].path
      if captured != nil, byte == 0x5b {
        array = captured
        captured = nil
        state = .elementOrEnd
        return
      }
      if captured == nil, byte == 0x7b || byte == 0x5b, open.count < Self.openMax {
        open.append(byte == 0x7b ? node : ~node)
        state = byte == 0x7b ? .nameOrEnd : .elementOrEnd
        return
      }
    }
    nesting = 0
    inString = false
    isEscaped = false
    isScalar = false
    switch byte {
    case 0x22, 0x7b, 0x5b: break
    case 0x2d, 0x30...0x39, 0x74, 0x66, 0x6e: isScalar = true
    default: throw JSONError(.expected("a value"), at: base + index)
    }
    state = .inside
  }

  /// Goes through a value that begins at `start` or began in a piece before.
  private mutating func pass(
    _ piece: Span<UInt8>, from index: inout Int, start: Int,
    _ take: (_ path: Int, _ element: Span<UInt8>) throws(JSONError) -> Void
  ) throws(JSONError) {
    guard try findEnd(piece, &index) else {
      if captured != nil {
        try hold(piece.extracting(start..<piece.count))
      }
      return
    }
    if let captured {
      if held.isEmpty {
        let element = piece.extracting(start..<index)
        try check(element.count)
        if array != nil || !Self.isNull(element) { try take(captured, element) }
      } else {
        try hold(piece.extracting(start..<index))
        let element = held
        held = []
        if array != nil || !Self.isNull(element.span) { try take(captured, element.span) }
      }
    }
    captured = nil
    endItem()
  }

  /// False: the piece ends before the value does.
  private mutating func findEnd(_ piece: Span<UInt8>, _ index: inout Int) throws(JSONError) -> Bool {
    if isScalar {
      while index < piece.count {
        let byte = piece[index]
        if byte <= 0x20 || byte == 0x2c || byte == 0x5d || byte == 0x7d { return true }
        guard byte < 0x80, byte != 0x22, byte != 0x5b, byte != 0x7b, byte != 0x3a else {
          throw JSONError(.expected("a comma or the end"), at: base + index)
        }
        index += 1
      }
      return false
    }
    while index < piece.count {
      if inString {
        if isEscaped {
          isEscaped = false
          index += 1
          continue
        }
        index = JSONScan.endOfPlain(piece, from: index)
        guard index < piece.count else { return false }
        let byte = piece[index]
        if byte == 0x22 {
          inString = false
          index += 1
          if nesting == 0 { return true }
        } else if byte == 0x5c {
          isEscaped = true
          index += 1
        } else {
          throw JSONError(.badString, at: base + index)
        }
        continue
      }
      index = JSONScan.endOfFlat(piece, from: index)
      guard index < piece.count else { return false }
      let byte = piece[index]
      index += 1
      if byte == 0x22 {
        inString = true
      } else if byte & 0x06 == 0x02 {
        nesting += 1
      } else {
        nesting -= 1
        if nesting == 0 { return true }
      }
    }
    return false
  }

  private mutating func hold(_ part: Span<UInt8>) throws(JSONError) {
    try check(held.count + part.count)
    part.withUnsafeBufferPointer { held.append(contentsOf: $0) }
  }

  private func check(_ count: Int) throws(JSONError) {
    if count > elementBytesMax { throw JSONError(.elementTooLarge(bytesMax: elementBytesMax), at: base) }
  }

  private mutating func takeNameByte(_ byte: UInt8, _ isEscaped: Bool) {
    if isEscaped {
      nameIsOdd = true
      state = .inName(isEscaped: false)
    } else if byte == 0x5c {
      state = .inName(isEscaped: true)
    } else if byte == 0x22 {
      node = nil
      if !nameIsOdd, let parent = open.last {
        node = nodes[parent].children.first { nodes[$0].name == name }
      }
      state = .colon
    } else if name.count == Self.nameBytesMax {
      nameIsOdd = true
    } else {
      name.append(byte)
    }
  }

  /// A value has ended, in the array that is open, else in the innermost open object.
  private mutating func endItem() { state = open.isEmpty && array == nil ? .done : .afterItem }

  private mutating func closeObject() {
    open.removeLast()
    endItem()
  }

  /// Whether the innermost that is open is an array.
  private var isInArray: Bool { array != nil || (open.last ?? 0) < 0 }

  private mutating func beginElement() {
    if array == nil, let last = open.last { node = ~last }
    state = .value
  }

  private mutating func closeArray() {
    if array != nil { array = nil } else { open.removeLast() }
    endItem()
  }

  private static func isNull(_ span: Span<UInt8>) -> Bool {
    span.count == 4 && span[0] == 0x6e && span[1] == 0x75 && span[2] == 0x6c && span[3] == 0x6c
  }
}
