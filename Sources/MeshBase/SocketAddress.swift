/// An IPv4 or IPv6 address with a port; a plain value, nothing is looked up.
@frozen
public struct SocketAddress: Hashable, Sendable {
  /// The 128 bits in network order, high half first; IPv4 is kept as ::ffff:a.b.c.d with `isIPv4` set.
  public let high: UInt64
  public let low: UInt64
  public let port: UInt16
  public let isIPv4: Bool

  public init(ipv4 address: UInt32, port: UInt16) {
    high = 0
    low = 0x0000_ffff_0000_0000 | UInt64(address)
    self.port = port
    isIPv4 = true
  }

  public init(ipv6High high: UInt64, low: UInt64, port: UInt16) {
    self.high = high
    self.low = low
    self.port = port
    isIPv4 = false
  }

  public static func loopback(port: UInt16) -> SocketAddress { SocketAddress(ipv4: 0x7f00_0001, port: port) }

  /// 127.0.0.0/8, ::1 and the IPv4-mapped form of the former.
  public var isLoopback: Bool {
    if isIPv4 || (high == 0 && low >> 32 == 0xffff) { return UInt8(truncatingIfNeeded: low >> 24) == 127 }
    return high == 0 && low == 1
  }

  public var isUnspecified: Bool { isIPv4 ? UInt32(truncatingIfNeeded: low) == 0 : high == 0 && low == 0 }

  public func withPort(_ port: UInt16) -> SocketAddress {
    isIPv4
      ? SocketAddress(ipv4: UInt32(truncatingIfNeeded: low), port: port)
      : SocketAddress(ipv6High: high, low: low, port: port)
  }
}

extension SocketAddress {
  /// Parses a literal address (no brackets, no zone). `nil` if `ip` is a host name or malformed.
  public init?(ip: String, port: UInt16) {
    let bytes = Array(ip.utf8)
    if let v4 = Self.parseIPv4(bytes[...]) {
      self.init(ipv4: v4, port: port)
    } else if let (high, low) = Self.parseIPv6(bytes[...]) {
      self.init(ipv6High: high, low: low, port: port)
    } else {
      return nil
    }
  }

  /// Parses "1.2.3.4:80" and "[::1]:80".
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    guard let port = UInt16(text[text.index(after: colon)...]) else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("[") && host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    self.init(ip: String(host), port: port)
  }

  /// Four decimal octets without leading zeros (RFC 6943 §3.1.1: the strict form only).
  private static func parseIPv4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
    let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
      if part.count > 1 && part.first == 0x30 { return nil }
      let octet = part.reduce(0) { $0 * 10 + UInt32($1 - 0x30) }
      guard octet <= 255 else { return nil }
      value = value << 8 | octet
    }
    return value
  }

  /// RFC 4291 §2.2, the dotted tail included.
  private static func parseIPv6(_ bytes: ArraySlice<UInt8>) -> (UInt64, UInt64)? {
    var groups: [UInt16] = []
    var gap: Int?
    var rest = bytes
    if rest.starts(with: [0x3a, 0x3a]) {
      gap = 0
      rest = rest.dropFirst(2)
    }
    while !rest.isEmpty {
      let group = rest.prefix { $0 != 0x3a }
      if group.contains(0x2e) {
        guard group.endIndex == rest.endIndex, let v4 = parseIPv4(group) else { return nil }
        groups += [UInt16(v4 >> 16), UInt16(truncatingIfNeeded: v4)]
        rest = []
        break
      }
      guard (1...4).contains(group.count), let value = UInt16(String(decoding: group, as: UTF8.self), radix: 16) else {
        return nil
      }
      groups.append(value)
      rest = rest[group.endIndex...]
      if rest.isEmpty { break }
      rest = rest.dropFirst()
      if rest.first == 0x3a {
        guard gap == nil else { return nil }
        gap = groups.count
        rest = rest.dropFirst()
      } else if rest.isEmpty {
        return nil
      }
    }
    if let gap {
      guard groups.count < 8 else { return nil }
      groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    let high = groups[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    let low = groups[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    return (high, low)
  }
}

extension SocketAddress: CustomStringConvertible {
  /// The address without the port: "127.0.0.1", "2001:db8::1" (RFC 5952: lower case, longest zero run cut).
  public var ip: String {
    if isIPv4 { return [24, 16, 8, 0].map { String((low >> $0) & 0xff) }.joined(separator: ".") }
    let groups =
      [48, 32, 16, 0].map { UInt16(truncatingIfNeeded: high >> $0) }
      + [48, 32, 16, 0].map { UInt16(truncatingIfNeeded: low >> $0) }
    var best = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8 && groups[end] == 0 { end += 1 }
      if end - start > max(1, best.count) { best = start..<end }
      start = max(end, start + 1)
    }
    let hex = { (part: ArraySlice<UInt16>) in part.map { String($0, radix: 16) }.joined(separator: ":") }
    if best.isEmpty { return hex(groups[...]) }
    return hex(groups[..<best.lowerBound]) + "::" + hex(groups[best.upperBound...])
  }

  public var description: String { isIPv4 ? "\(ip):\(port)" : "[\(ip)]:\(port)" }
}
