import HTTP

/// The pairs in the value of a Cookie field (RFC 6265 §4.2.1).
enum CookiePairs {
  /// Calls `body` for each, without the blanks and semicolons between them.
  static func forEach(in value: UnsafeRawBufferPointer, _ body: (_ pair: UnsafeRawBufferPointer) -> Void) {
    var start = 0
    while start < value.count {
      let end = value[start...].firstIndex(of: UInt8(ascii: ";")) ?? value.count
      let pair = HeadText.trimmed(UnsafeRawBufferPointer(rebasing: value[start..<end]))
      if !pair.isEmpty { body(pair) }
      start = end + 1
    }
  }

  /// Names are told apart by letter case.
  static func isNamed(_ pair: UnsafeRawBufferPointer, _ name: [UInt8]) -> Bool {
    pair.count > name.count && pair[name.count] == UInt8(ascii: "=") && pair.starts(with: name)
  }

  /// The value of the first pair of this name.
  static func value(of name: [UInt8], in value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    var found: UnsafeRawBufferPointer?
    forEach(in: value) { pair in
      if found == nil, isNamed(pair, name) { found = UnsafeRawBufferPointer(rebasing: pair[(name.count + 1)...]) }
    }
    return found
  }
}
