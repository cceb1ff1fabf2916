import MeshBase

/// Dates as HTTP writes them: IMF-fixdate, RFC 9110 §5.6.7.
public enum HTTPDate {
  /// Bytes of every date.
  public static let length = 29

  /// The last second of the year 9999, beyond which a date would need more digits.
  static let latest: Int64 = 253_402_300_799

  /// Writes `unixSeconds` (since 1970, UTC) to the start of `buffer`, of at least `length` bytes. Seconds outside of
  /// 1970 to 9999 are moved to the nearest end.
  public static func write(unixSeconds: Int64, to buffer: UnsafeMutableRawBufferPointer) {
    precondition(buffer.count >= length, "no room for a date")
    let seconds = Int(min(max(unixSeconds, 0), latest))
    let time = CivilTime(unixSeconds: seconds)
    let weekdays: StaticString = "ThuFriSatSunMonTueWed"
    let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"
    put(weekdays, 3 * (seconds / 86_400 % 7), 3, at: 0, buffer)
    put(", ", 0, 2, at: 3, buffer)
    putTwoDigits(time.day, at: 5, buffer)
    buffer[7] = 0x20
    put(months, 3 * (time.month - 1), 3, at: 8, buffer)
    buffer[11] = 0x20
    putTwoDigits(time.year / 100, at: 12, buffer)
    putTwoDigits(time.year % 100, at: 14, buffer)
    buffer[16] = 0x20
    putTwoDigits(time.hour, at: 17, buffer)
    buffer[19] = UInt8(ascii: ":")
    putTwoDigits(time.minute, at: 20, buffer)
    buffer[22] = UInt8(ascii: ":")
    putTwoDigits(time.second, at: 23, buffer)
    put(" GMT", 0, 4, at: 25, buffer)
  }

  private static func put(
    _ text: StaticString, _ from: Int, _ count: Int, at: Int, _ buffer: UnsafeMutableRawBufferPointer
  ) {
    for index in 0..<count { buffer[at + index] = text.utf8Start[from + index] }
  }

  private static func putTwoDigits(_ number: Int, at: Int, _ buffer: UnsafeMutableRawBufferPointer) {
    buffer[at] = 0x30 + UInt8(number / 10)
    buffer[at + 1] = 0x30 + UInt8(number % 10)
  }
}

extension ByteBuffer {
  /// `unixSeconds` as an HTTP date.
  public func append(httpDate unixSeconds: Int64) {
    let room = writable(minimum: HTTPDate.length)
    HTTPDate.write(unixSeconds: unixSeconds, to: room)
    didWrite(HTTPDate.length)
  }
}
