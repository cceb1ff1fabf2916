/// CRC-32 as of ISO 3309 (polynomial 0xEDB88320, reflected): tells torn and rotten records; no defence against malice.
enum Crc32 {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
  }

  static func of(_ parts: ArraySlice<UInt8>...) -> UInt32 {
    let table = table
    var crc = UInt32.max
    for part in parts {
      for byte in part { crc = table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ crc >> 8 }
    }
    return ~crc
  }
}
