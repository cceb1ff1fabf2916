import MeshBase

/// Reads JSON (RFC 8259) front to back from bytes in memory, pulled value by value; makes no tree and copies nothing
/// that is not asked for.
///
/// ```
/// var reader = JSONReader(bytes.span)
/// if try reader.beginObject() {           // false: the value is null
///   while try reader.nextKey() {
///     if reader.isKey("id") {
///       id = try reader.string()          // nil: null
///     } else if reader.isKey("ports"), try reader.beginArray() {
///       while try reader.nextElement() { ports.append(try reader.integer() ?? 0) }
///     }                                   // what is not read is skipped by the next call
///   }
/// }
/// ```
/// `null` reads as `nil`, as an absent member does: cluster managers write both. A skipped value is checked for balance
/// only. Bytes that are not UTF-8 become U+FFFD, and so do lone surrogates. Of two members with one name both are seen.
public struct JSONReader: ~Escapable {
  public enum Kind: Equatable, Sendable {
    case object, array, string, number, boolean, null
  }

  @usableFromInline let bytes: Span<UInt8>
  /// Of the next byte.
  public private(set) var offset: Int
  private let depthMax: Int
  private var depth = 0
  /// Nothing of the innermost object or array has been read yet.
  private var isFirst = false
  /// A key or an element was announced, and its value is not read yet.
  private var owesValue = true
  private var keyStart = 0
  private var keyEnd = 0
  private var keyIsEscaped = false

  @_lifetime(copy bytes)
  public init(_ bytes: Span<UInt8>, depthMax: Int = 64) {
    self.bytes = bytes
    self.depthMax = depthMax
    offset = 0
  }

  // MARK: Objects and arrays

  /// Enters an object; false, and it is read, if the value is null.
  public mutating func beginObject() throws(JSONError) -> Bool { try begin(0x7b, "an object") }

  /// Enters an array; false, and it is read, if the value is null.
  public mutating func beginArray() throws(JSONError) -> Bool { try begin(0x5b, "an array") }

  private mutating func begin(_ bracket: UInt8, _ noun: String) throws(JSONError) -> Bool {
    let byte = try startValue()
    if byte != bracket {
      if try takeNull(byte) { return false }
      throw JSONError(.expected(noun), at: offset)
    }
    if depth == depthMax { throw JSONError(.nestedTooDeeply(max: depthMax), at: offset) }
    depth += 1
    offset += 1
    isFirst = true
    owesValue = false
    return true
  }

  /// Goes on to the next member of the object; false, and the object is left, at its end.
  public mutating func nextKey() throws(JSONError) -> Bool {
    guard try nextItem(0x7d, "a comma or the object's end") else { return false }
    if try byteAfterBlanks() != 0x22 { throw JSONError(.expected("a member's name"), at: offset) }
    (keyStart, keyEnd, keyIsEscaped) = try passString()
    if try byteAfterBlanks() != 0x3a { throw JSONError(.expected("a colon"), at: offset) }
    offset += 1
    owesValue = true
    return true
  }

  /// Goes on to the next element of the array; false, and the array is left, at its end.
  public mutating func nextElement() throws(JSONError) -> Bool {
    guard try nextItem(0x5d, "a comma or the array's end") else { return false }
    owesValue = true
    return true
  }

  private mutating func nextItem(_ end: UInt8, _ noun: String) throws(JSONError) -> Bool {
    if owesValue { try skip() }
    let byte = try byteAfterBlanks()
    if byte == end {
      precondition(depth > 0, "next item outside of an object or array")
      depth -= 1
      offset += 1
      isFirst = false
      return false
    }
    if isFirst {
      isFirst = false
      return true
    }
    if byte != 0x2c { throw JSONError(.expected(noun), at: offset) }
    offset += 1
    return true
  }

  /// Whether the present member has this name, which must be ASCII.
  @inline(__always)
  public func isKey(_ name: StaticString) -> Bool {
    let count = name.utf8CodeUnitCount
    if keyEnd &- keyStart != count || keyIsEscaped { return keyIsEscaped && key == "\(name)" }
    var index = 0
    while index < count {
      if bytes[keyStart &+ index] != name.utf8Start[index] { return false }
      index &+= 1
    }
    return true
  }

  /// The present member's name.
  public var key: String { keyIsEscaped ? unescaped(keyStart, keyEnd) : text(keyStart, keyEnd) }

  // MARK: Values

  /// Of the next value; nothing is read.
  public mutating func peek() throws(JSONError) -> Kind {
    switch try byteAfterBlanks() {
    case 0x7b: .object
    case 0x5b: .array
    case 0x22: .string
    case 0x74, 0x66: .boolean
    case 0x6e: .null
    case 0x2d, 0x30...0x39: .number
    default: throw JSONError(.expected("a value"), at: offset)
    }
  }

  public mutating func string() throws(JSONError) -> String? {
    let byte = try startValue()
    if byte != 0x22 {
      if try takeNull(byte) { return nil }
      throw JSONError(.expected("a string"), at: offset)
    }
    let (start, end, isEscaped) = try passString()
    owesValue = false
    return isEscaped ? unescaped(start, end) : text(start, end)
  }

  public mutating func boolean() throws(JSONError) -> Bool? {
    switch try startValue() {
    case 0x74:
      try takeWord("true")
      return true
    case 0x66:
      try takeWord("false")
      return false
    case let byte:
      if try takeNull(byte) { return nil }
      throw JSONError(.expected("true or false"), at: offset)
    }
  }

  /// A whole number; `1.0` and `1e3` are none.
  public mutating func integer() throws(JSONError) -> Int? {
    guard let (start, end, isWhole) = try number() else { return nil }
    var index = start
    let isNegative = bytes[index] == 0x2d
    if isNegative { index += 1 }
    guard isWhole else { throw JSONError(.notAnInteger, at: start) }
    var value = 0
    while index < end {
      let digit = Int(bytes[index] &- 0x30)
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.subtractingReportingOverflow(digit)
      // Counted downwards, so that the least integer fits as well.
      if overflow || carry { throw JSONError(.notAnInteger, at: start) }
      value = sum
      index += 1
    }
    if isNegative { return value }
    guard value != .min else { throw JSONError(.notAnInteger, at: start) }
    return -value
  }

  public mutating func double() throws(JSONError) -> Double? {
    guard let (start, end, _) = try number() else { return nil }
    guard let value = Double(text(start, end)) else { throw JSONError(.badNumber, at: start) }
    return value
  }

  /// The strings of an array; null gives none, and so do nulls in it.
  public mutating func strings() throws(JSONError) -> [String] {
    var result: [String] = []
    guard try beginArray() else { return result }
    while try nextElement() { if let text = try string() { result.append(text) } }
    return result
  }

  /// The whole numbers of an array; null gives none, and so do nulls in it.
  public mutating func integers() throws(JSONError) -> [Int] {
    var result: [Int] = []
    guard try beginArray() else { return result }
    while try nextElement() { if let number = try integer() { result.append(number) } }
    return result
  }

  /// Passes over the next value and tells where it stands. Checks strings, and that brackets are balanced; not deeper.
  @discardableResult
  public mutating func skip() throws(JSONError) -> Range<Int> {
    let first = try startValue()
    let start = offset
    switch first {
    case 0x22: _ = try passString()
    case 0x7b, 0x5b:
      var nesting = 0
      repeat {
        offset = JSONScan.endOfFlat(bytes, from: offset)
        guard offset < bytes.count else { throw JSONError(.endOfText, at: offset) }
        let byte = bytes[offset]
        if byte == 0x22 {
          _ = try passString()
        } else {
          nesting += byte & 0x06 == 0x02 ? 1 : -1
          offset += 1
        }
      } while nesting > 0
    case 0x74: try takeWord("true")
    case 0x66: try takeWord("false")
    case 0x6e: try takeWord("null")
    default: _ = try number()
    }
    owesValue = false
    return start..<offset
  }

  /// Makes sure that nothing but blanks follows the value.
  public mutating func end() throws(JSONError) {
    if owesValue { try skip() }
    passBlanks()
    if offset < bytes.count { throw JSONError(.trailingBytes, at: offset) }
  }

  // MARK: Bytes

  @inline(__always)
  private mutating func passBlanks() {
    while offset < bytes.count {
      let byte = bytes[offset]
      if byte > 0x20 || (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) { return }
      offset &+= 1
    }
  }

  private mutating func byteAfterBlanks() throws(JSONError) -> UInt8 {
    passBlanks()
    guard offset < bytes.count else { throw JSONError(.endOfText, at: offset) }
    return bytes[offset]
  }

  private mutating func startValue() throws(JSONError) -> UInt8 {
    precondition(owesValue, "a value is read twice, or one that was not announced by nextKey or nextElement")
    return try byteAfterBlanks()
  }

  private mutating func takeNull(_ byte: UInt8) throws(JSONError) -> Bool {
    if byte != 0x6e { return false }
    try takeWord("null")
    return true
  }

  private mutating func takeWord(_ word: StaticString) throws(JSONError) {
    for index in 0..<word.utf8CodeUnitCount {
      guard offset + index < bytes.count else { throw JSONError(.endOfText, at: bytes.count) }
      if bytes[offset + index] != word.utf8Start[index] { throw JSONError(.expected("a value"), at: offset) }
    }
    offset += word.utf8CodeUnitCount
    owesValue = false
  }

  /// From the opening quote to behind the closing one; gives the content's bounds.
  private mutating func passString() throws(JSONError) -> (start: Int, end: Int, isEscaped: Bool) {
    let start = offset + 1
    var index = start
    var isEscaped = false
    while true {
      index = JSONScan.endOfPlain(bytes, from: index)
      guard index < bytes.count else { throw JSONError(.endOfText, at: bytes.count) }
      switch bytes[index] {
      case 0x22:
        offset = index + 1
        return (start, index, isEscaped)
      case 0x5c:
        isEscaped = true
        guard index + 1 < bytes.count else { throw JSONError(.endOfText, at: bytes.count) }
        switch bytes[index + 1] {
        case 0x22, 0x5c, 0x2f, 0x62, 0x66, 0x6e, 0x72, 0x74: index += 2
        case 0x75:
          guard index + 5 < bytes.count else { throw JSONError(.endOfText, at: bytes.count) }
          for place in (index + 2)...(index + 5) where Ascii.hexValue(bytes[place]) == nil {
            throw JSONError(.badString, at: place)
          }
          index += 6
        default: throw JSONError(.badString, at: index)
        }
      default: throw JSONError(.badString, at: index)
      }
    }
  }

  /// `nil`: null.
  private mutating func number() throws(JSONError) -> (start: Int, end: Int, isWhole: Bool)? {
    let first = try startValue()
    if try takeNull(first) { return nil }
    let start = offset
    var index = start
    if first == 0x2d { index += 1 }
    let whole = index
    passDigits(&index)
    if index == whole {
      throw JSONError(first == 0x2d ? .badNumber : .expected("a number"), at: start)
    }
    // A leading zero stands alone.
    if bytes[whole] == 0x30, index > whole + 1 { throw JSONError(.badNumber, at: start) }
    var isWhole = true
    if index < bytes.count, bytes[index] == 0x2e {
      isWhole = false
      index += 1
      let fraction = index
      passDigits(&index)
      if index == fraction { throw JSONError(.badNumber, at: start) }
    }
    if index < bytes.count, bytes[index] | 0x20 == 0x65 {
      isWhole = false
      index += 1
      if index < bytes.count, bytes[index] == 0x2b || bytes[index] == 0x2d { index += 1 }
      let exponent = index
      passDigits(&index)
      if index == exponent { throw JSONError(.badNumber, at: start) }
    }
    offset = index
    owesValue = false
    return (start, index, isWhole)
  }

  private func passDigits(_ index: inout Int) {
    while index < bytes.count, Ascii.isDigit(bytes[index]) { index += 1 }
  }

  private func text(_ start: Int, _ end: Int) -> String {
    bytes.extracting(start..<end).withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }

  /// The string's value; its escapes were checked when it was passed.
  private func unescaped(_ start: Int, _ end: Int) -> String {
    var result: [UInt8] = []
    result.reserveCapacity(end - start)
    var index = start
    while index < end {
      guard bytes[index] == 0x5c else {
        result.append(bytes[index])
        index += 1
        continue
      }
      let escape = bytes[index + 1]
      index += 2
      switch escape {
      case 0x62: result.append(0x08)
      case 0x66: result.append(0x0c)
      case 0x6e: result.append(0x0a)
      case 0x72: result.append(0x0d)
      case 0x74: result.append(0x09)
      case 0x75:
        var unit = hex(at: index)
        index += 4
        if unit >> 10 == 0x36, index + 6 <= end, bytes[index] == 0x5c, bytes[index + 1] == 0x75,
          hex(at: index + 2) >> 10 == 0x37
        {
          unit = 0x10000 + (unit & 0x3ff) << 10 + hex(at: index + 2) & 0x3ff
          index += 6
        }
        let scalar = Unicode.Scalar(unit) ?? "\u{fffd}"
        result.append(contentsOf: UTF8.encode(scalar).unsafelyUnwrapped)
      default: result.append(escape)
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private func hex(at index: Int) -> UInt32 {
    (index..<index + 4).reduce(0) { $0 << 4 | UInt32(Ascii.hexValue(bytes[$1]) ?? 0) }
  }
}
