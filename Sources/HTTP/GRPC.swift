import MeshBase

/// The status of a gRPC call, as its `grpc-status` trailer has it.
public struct GRPCStatus: RawRepresentable, Equatable, Hashable, Sendable {
  public var rawValue: UInt8

  @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let ok = GRPCStatus(rawValue: 0)
  public static let cancelled = GRPCStatus(rawValue: 1)
  public static let unknown = GRPCStatus(rawValue: 2)
  public static let invalidArgument = GRPCStatus(rawValue: 3)
  public static let deadlineExceeded = GRPCStatus(rawValue: 4)
  public static let notFound = GRPCStatus(rawValue: 5)
  public static let alreadyExists = GRPCStatus(rawValue: 6)
  public static let permissionDenied = GRPCStatus(rawValue: 7)
  public static let resourceExhausted = GRPCStatus(rawValue: 8)
  public static let failedPrecondition = GRPCStatus(rawValue: 9)
  public static let aborted = GRPCStatus(rawValue: 10)
  public static let outOfRange = GRPCStatus(rawValue: 11)
  public static let unimplemented = GRPCStatus(rawValue: 12)
  public static let internalError = GRPCStatus(rawValue: 13)
  public static let unavailable = GRPCStatus(rawValue: 14)
  public static let dataLoss = GRPCStatus(rawValue: 15)
  public static let unauthenticated = GRPCStatus(rawValue: 16)

  /// Whether the status speaks against the server that gave it, as a 5xx of HTTP does: what a caller asked wrongly, or
  /// did not wait for, does not.
  @inlinable public var isEndpointsFault: Bool {
    switch self {
    case .unknown, .internalError, .unavailable, .dataLoss: true
    default: false
    }
  }

  /// The value of a `grpc-status` field: a decimal number without leading zeros; nil for anything else.
  public init?(_ value: UnsafeRawBufferPointer) {
    guard let first = value.first, value.count <= 3, first != UInt8(ascii: "0") || value.count == 1 else { return nil }
    var number = 0
    for byte in value {
      let digit = byte &- 0x30
      if digit > 9 { return nil }
      number = number * 10 + Int(digit)
    }
    if number > 255 { return nil }
    rawValue = UInt8(number)
  }

  /// What a call comes to whose answer was an HTTP status without `grpc-status`.
  /// Source: grpc/doc/http-grpc-status-mapping.md.
  public init(httpStatus: Int) {
    switch httpStatus {
    case 400: self = .internalError
    case 401: self = .unauthenticated
    case 403: self = .permissionDenied
    case 404: self = .unimplemented
    case 429, 502, 503, 504: self = .unavailable
    default: self = .unknown
    }
  }

  /// What a call comes to whose stream was reset. Source: grpc/doc/PROTOCOL-HTTP2.md, "HTTP2 Transport Mapping".
  public init(reset code: HTTP2ErrorCode) {
    switch code {
    case .refusedStream: self = .unavailable
    case .cancel: self = .cancelled
    case .enhanceYourCalm: self = .resourceExhausted
    case .inadequateSecurity: self = .permissionDenied
    default: self = .internalError
    }
  }

  /// What the router answers when it fails with `reason`: a time-out is a missed deadline, a name that leads nowhere is
  /// `unimplemented`, a refusal of the request's form is the caller's, too much is a resource that is used up, all else may be tried again.
  public init(_ reason: Reason) {
    // Not `unavailable`, which gRPC's own retries would answer at once.
    if reason.isShed {
      self = .resourceExhausted
      return
    }
    switch reason.status {
    case 504, 408: self = .deadlineExceeded
    case 499: self = .cancelled
    case 401: self = .unauthenticated
    case 403: self = .permissionDenied
    case 404: self = .unimplemented
    case 413, 414, 429, 431: self = .resourceExhausted
    case 400, 405, 411, 417: self = .invalidArgument
    case 501: self = .unimplemented
    case 500: self = .internalError
    default: self = .unavailable
    }
  }

  /// Whether a failed call may be tried again as far as its status tells.
  @inlinable public var isUnavailable: Bool { self == .unavailable }
}

/// The pieces of gRPC that stand in HTTP fields. Source: grpc/doc/PROTOCOL-HTTP2.md.
public enum GRPC {
  /// Whether a Content-Type is `application/grpc`, alone or with a message format (`+proto`) or parameters.
  public static func isGRPC(contentType value: UnsafeRawBufferPointer) -> Bool {
    let name: StaticString = "application/grpc"
    if value.count < name.utf8CodeUnitCount { return false }
    for index in 0..<name.utf8CodeUnitCount where value[index] | 0x20 != name.utf8Start[index] | 0x20 { return false }
    if value.count == name.utf8CodeUnitCount { return true }
    switch value[name.utf8CodeUnitCount] {
    case UInt8(ascii: "+"), UInt8(ascii: ";"), 0x20, 0x09: return true
    default: return false
    }
  }

  /// Nanoseconds that a `grpc-timeout` gives: at most eight digits and a unit (`H M S m u n`); nil if it is none.
  public static func timeout(_ value: UnsafeRawBufferPointer) -> UInt64? {
    guard value.count >= 2, value.count <= 9, let unit = value.last else { return nil }
    var number: UInt64 = 0
    for byte in value.dropLast() {
      let digit = byte &- 0x30
      if digit > 9 { return nil }
      number = number * 10 + UInt64(digit)
    }
    let nanoseconds: UInt64
    switch unit {
    case UInt8(ascii: "H"): nanoseconds = 3_600_000_000_000
    case UInt8(ascii: "M"): nanoseconds = 60_000_000_000
    case UInt8(ascii: "S"): nanoseconds = 1_000_000_000
    case UInt8(ascii: "m"): nanoseconds = 1_000_000
    case UInt8(ascii: "u"): nanoseconds = 1_000
    case UInt8(ascii: "n"): nanoseconds = 1
    default: return nil
    }
    // 99,999,999 hours are too many for nanoseconds in 64 bits.
    let (product, overflow) = number.multipliedReportingOverflow(by: nanoseconds)
    return overflow ? .max : product
  }

  /// Writes `nanoseconds` as `grpc-timeout`: the finest unit that fits eight digits, rounded up so that a time-out
  /// does not become 0.
  public static func append(timeout nanoseconds: UInt64, to buffer: ByteBuffer) {
    let units: [(UInt64, UInt8)] = [
      (1, UInt8(ascii: "n")), (1_000, UInt8(ascii: "u")), (1_000_000, UInt8(ascii: "m")),
      (1_000_000_000, UInt8(ascii: "S")), (60_000_000_000, UInt8(ascii: "M")),
    ]
    for (size, letter) in units {
      let number = nanoseconds / size + (nanoseconds % size == 0 ? 0 : 1)
      if number <= 99_999_999 {
        buffer.append(decimal: number)
        buffer.append(letter)
        return
      }
    }
    buffer.append(decimal: nanoseconds / 3_600_000_000_000 + 1)
    buffer.append(UInt8(ascii: "H"))
  }

  /// Writes `message` as `grpc-message`: visible ASCII and blanks as they are, all else and `%` as percent triplets.
  public static func append(message: UnsafeRawBufferPointer, to buffer: ByteBuffer) {
    for byte in message {
      if byte >= 0x20, byte <= 0x7e, byte != UInt8(ascii: "%") {
        buffer.append(byte)
      } else {
        buffer.append(UInt8(ascii: "%"))
        for digit in [byte >> 4, byte & 15] { buffer.append(digit < 10 ? digit + 0x30 : digit + 0x37) }
      }
    }
  }

  public static func append(message: String, to buffer: ByteBuffer) {
    var message = message
    message.withUTF8 { append(message: UnsafeRawBufferPointer($0), to: buffer) }
  }

  /// The text of a `grpc-message`; triplets that are none stay as they are.
  public static func message(_ value: UnsafeRawBufferPointer) -> String {
    var text: [UInt8] = []
    var index = 0
    while index < value.count {
      if value[index] == UInt8(ascii: "%"), index + 2 < value.count, let high = hex(value[index + 1]),
        let low = hex(value[index + 2])
      {
        text.append(high << 4 | low)
        index += 3
      } else {
        text.append(value[index])
        index += 1
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func hex(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }
}

extension GRPCStatus {
  /// Of the trailers of a response: field lines, each with its CRLF. Nil where they name no status.
  public init?(trailers lines: UnsafeRawBufferPointer) {
    let name: StaticString = "grpc-status:"
    let nameCount = name.utf8CodeUnitCount
    var start = 0
    while start < lines.count {
      let end = lines[start...].firstIndex(of: UInt8(ascii: "\r")) ?? lines.count
      if end - start > nameCount,
        (0..<nameCount).allSatisfy({ lines[start + $0] | 0x20 == name.utf8Start[$0] | 0x20 })
      {
        var value = lines[(start + nameCount)..<end]
        while value.first == 0x20 || value.first == 0x09 { value = value.dropFirst() }
        while value.last == 0x20 || value.last == 0x09 { value = value.dropLast() }
        self.init(UnsafeRawBufferPointer(rebasing: value))
        return
      }
      start = end + 2
    }
    return nil
  }
}
