/// A gzip member (RFC 1952) whose blocks are stored (RFC 1951 §3.2.4): valid, and nothing is compressed.
enum StoredGzip {
  private static let blockBytesMax = 65_535

  static func wrap(_ bytes: [UInt8]) -> [UInt8] {
    var out: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]
    out.reserveCapacity(bytes.count + bytes.count / blockBytesMax * 5 + 32)
    var offset = 0
    repeat {
      let count = min(blockBytesMax, bytes.count - offset)
      out.append(offset + count == bytes.count ? 1 : 0)
      for word in [count, ~count] { out += [UInt8(truncatingIfNeeded: word), UInt8(truncatingIfNeeded: word >> 8)] }
      out += bytes[offset..<(offset + count)]
      offset += count
    } while offset < bytes.count
    for word in [crc(bytes), UInt32(truncatingIfNeeded: bytes.count)] {
      for shift in [0, 8, 16, 24] as [UInt32] { out.append(UInt8(truncatingIfNeeded: word >> shift)) }
    }
    return out
  }

  private static let table: [UInt32] = (0..<256).map { (index: UInt32) in
    (0..<8).reduce(index) { value, _ in value & 1 == 1 ? 0xedb8_8320 ^ (value >> 1) : value >> 1 }
  }

  private static func crc(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~0) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ ($0 >> 8) }
  }
}
