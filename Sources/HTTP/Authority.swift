/// `uri-host [ ":" port ]`, RFC 3986 §3.2.2 and RFC 9110 §7.2, as Host and request targets have it.
enum Authority {
  /// What a port must be.
  enum Port { case optional, required }

  /// Whether `range` is an authority without user information. The host may be empty only where `range` is.
  static func isValid(_ bytes: Bytes, _ range: ByteRange, port: Port = .optional) -> Bool {
    var index = range.start
    let end = range.end
    if index == end { return port == .optional }
    if bytes[index] == UInt8(ascii: "[") {
      guard let close = endOfLiteral(bytes, range) else { return false }
      index = close
    } else {
      index = bytes.skip(.regName, from: index, to: end)
      while index < end, bytes[index] == UInt8(ascii: "%") {
        if index &+ 2 >= end || !isHex(bytes[index &+ 1]) || !isHex(bytes[index &+ 2]) { return false }
        index = bytes.skip(.regName, from: index &+ 3, to: end)
      }
      if index == range.start { return false }
    }
    if index == end { return port == .optional }
    if bytes[index] != UInt8(ascii: ":") { return false }
    return isPort(bytes, from: index &+ 1, to: end, port)
  }

  @inline(__always)
  private static func isPort(_ bytes: Bytes, from start: Int, to end: Int, _ requirement: Port) -> Bool {
    if start == end { return requirement == .optional }
    // Checked once: the loop stays between the two.
    precondition(start >= 0 && start <= end && end <= bytes.count)
    var number: UInt32 = 0
    var index = start
    while index < end {
      let digit = bytes.base.load(fromByteOffset: index, as: UInt8.self) &- 0x30
      // Zeros may lead, so the count of digits says nothing.
      if digit > 9 || number > 65_535 { return false }
      number = number &* 10 &+ UInt32(digit)
      index &+= 1
    }
    return number <= 65_535 && (requirement == .optional || number > 0)
  }

  private static func isHex(_ byte: UInt8) -> Bool { ByteClass.of(byte).contains(.hexDigit) }

  /// Offset after the `]` of an IP literal, or nil when it is none.
  private static func endOfLiteral(_ bytes: Bytes, _ range: ByteRange) -> Int? {
    var close = range.start &+ 1
    while close < range.end, bytes[close] != UInt8(ascii: "]") { close &+= 1 }
    if close == range.end || close == range.start &+ 1 { return nil }
    let inner = ByteRange(from: range.start &+ 1, to: close)
    let first = bytes[inner.start]
    let valid = first == UInt8(ascii: "v") || first == UInt8(ascii: "V") ? isFuture(bytes, inner) : isIPv6(bytes, inner)
    return valid ? close &+ 1 : nil
  }

  /// `"v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )`
  private static func isFuture(_ bytes: Bytes, _ range: ByteRange) -> Bool {
    var index = range.start + 1
    while index < range.end, isHex(bytes[index]) { index += 1 }
    if index == range.start + 1 || index + 1 >= range.end || bytes[index] != UInt8(ascii: ".") { return false }
    for index in (index + 1)..<range.end {
      let byte = bytes[index]
      if byte == UInt8(ascii: "%") || (byte != UInt8(ascii: ":") && !ByteClass.of(byte).contains(.regName)) {
        return false
      }
    }
    return true
  }

  /// Eight groups of one to four digits, one run of which `::` may stand for, the last two as an IPv4 address if need be.
  private static func isIPv6(_ bytes: Bytes, _ range: ByteRange) -> Bool {
    var index = range.start
    let end = range.end
    var groups = 0
    var compressed = false
    if bytes[index] == UInt8(ascii: ":") {
      if index + 1 >= end || bytes[index + 1] != UInt8(ascii: ":") { return false }
      compressed = true
      index += 2
    }
    while index < end {
      let start = index
      while index < end, isHex(bytes[index]) { index += 1 }
      if index < end, bytes[index] == UInt8(ascii: ".") {
        groups += 2
        return isIPv4(bytes, ByteRange(from: start, to: end)) && (compressed ? groups <= 7 : groups == 8)
      }
      if index == start || index - start > 4 { return false }
      groups += 1
      if index == end { break }
      if bytes[index] != UInt8(ascii: ":") { return false }
      index += 1
      if index == end { return false }
      if bytes[index] == UInt8(ascii: ":") {
        if compressed { return false }
        compressed = true
        index += 1
      }
    }
    return compressed ? groups <= 7 : groups == 8
  }

  private static func isIPv4(_ bytes: Bytes, _ range: ByteRange) -> Bool {
    var octets = 0
    var digits = 0
    var number = 0
    for index in range.indices {
      let byte = bytes[index]
      if byte == UInt8(ascii: ".") {
        if digits == 0 { return false }
        octets += 1
        digits = 0
        number = 0
        continue
      }
      let digit = byte &- 0x30
      if digit > 9 || (digits > 0 && number == 0) { return false }
      number = number * 10 + Int(digit)
      digits += 1
      if number > 255 { return false }
    }
    return octets == 3 && digits > 0
  }
}
