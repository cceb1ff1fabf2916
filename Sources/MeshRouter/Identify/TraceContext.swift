import HTTP
import MeshBase

/// linkerd's trace context, `l5d-ctx-trace`: span, parent, trace and flags, 8 bytes each, big-endian, in base64.
struct TraceContext {
  var span: UInt64
  var parent: UInt64
  var trace: UInt64
  var flags: UInt64

  /// The first span of a new trace.
  init(root id: UInt64) {
    span = id
    parent = id
    trace = id
    flags = 0
  }

  /// `nil` unless the value is exactly 32 bytes of base64.
  init?(_ value: UnsafeRawBufferPointer) {
    guard value.count == 44, value[43] == UInt8(ascii: "=") else { return nil }
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    let isValid = withUnsafeMutableBytes(of: &words) { out in
      var accumulator: UInt32 = 0
      var bits = 0
      var count = 0
      for index in 0..<43 {
        guard let digit = Self.value(of: value[index]) else { return false }
        accumulator = accumulator << 6 | UInt32(digit)
        bits += 6
        if bits >= 8 {
          bits -= 8
          out[count] = UInt8(truncatingIfNeeded: accumulator >> UInt32(bits))
          count += 1
        }
      }
      return count == 32
    }
    guard isValid else { return nil }
    span = UInt64(bigEndian: words.0)
    parent = UInt64(bigEndian: words.1)
    trace = UInt64(bigEndian: words.2)
    flags = UInt64(bigEndian: words.3)
  }

  /// The context for one hop further.
  func child(span id: UInt64) -> TraceContext {
    var child = self
    child.parent = span
    child.span = id
    return child
  }

  /// `l5d-ctx-trace` and `l5d-reqid` (the trace id in hex) as header lines.
  @inline(__always)
  func appendLines(to out: ByteBuffer) {
    out.append("l5d-ctx-trace: ")
    let target = out.writable(minimum: 44)
    var words = (span.bigEndian, parent.bigEndian, trace.bigEndian, flags.bigEndian)
    withUnsafeBytes(of: &words) { bytes in
      var from = 0
      var to = 0
      while from < 30 {
        let group = UInt32(bytes[from]) << 16 | UInt32(bytes[from + 1]) << 8 | UInt32(bytes[from + 2])
        target[to] = Self.digit(UInt8(truncatingIfNeeded: group >> 18))
        target[to + 1] = Self.digit(UInt8(truncatingIfNeeded: group >> 12) & 63)
        target[to + 2] = Self.digit(UInt8(truncatingIfNeeded: group >> 6) & 63)
        target[to + 3] = Self.digit(UInt8(truncatingIfNeeded: group) & 63)
        from += 3
        to += 4
      }
      let group = UInt32(bytes[30]) << 16 | UInt32(bytes[31]) << 8
      target[40] = Self.digit(UInt8(truncatingIfNeeded: group >> 18))
      target[41] = Self.digit(UInt8(truncatingIfNeeded: group >> 12) & 63)
      target[42] = Self.digit(UInt8(truncatingIfNeeded: group >> 6) & 63)
      target[43] = UInt8(ascii: "=")
    }
    out.didWrite(44)
    out.append("\r\nl5d-reqid: ")
    let id = out.writable(minimum: 16)
    for index in 0..<16 {
      id[index] = Self.hexDigits.utf8Start[Int(truncatingIfNeeded: trace &>> UInt64(60 - 4 * index)) & 15]
    }
    out.didWrite(16)
    out.append("\r\n")
  }

  /// By table: the values are random, so branches on them would be mispredicted half of the time.
  @inline(__always)
  private static func digit(_ value: UInt8) -> UInt8 { alphabet.utf8Start[Int(value & 63)] }

  private static let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  private static let hexDigits: StaticString = "0123456789abcdef"

  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case 0x41...0x5a: digit - 0x41
    case 0x61...0x7a: digit - 71
    case 0x30...0x39: digit + 4
    case UInt8(ascii: "+"): 62
    case UInt8(ascii: "/"): 63
    default: nil
    }
  }
}
