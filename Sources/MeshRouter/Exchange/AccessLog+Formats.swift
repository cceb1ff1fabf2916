import HTTP
import MeshBase

extension AccessLogWriter {
  /// Combined log format, with the reason word and stage facts behind it:
  /// `peer - - [time] "GET / HTTP/1.1" 200 128 "referer" "agent" reason name client endpoint microseconds`.
  func commonLine(_ entry: AccessLogEntry, request: inout RequestHead, time: CivilTime, to line: inout [UInt8]) {
    let parsed = request.parse(entry.head, limits: Self.generousLimits) == .complete
    line += Array((entry.peer?.ip ?? "-").utf8)
    line += Array(" - - [".utf8)
    line += Array(time.commonLog.utf8)
    line += Array("] \"".utf8)
    if parsed {
      Self.append(entry.head[request.methodRange], to: &line)
      line.append(0x20)
      Self.append(entry.head[request.target], to: &line)
      line += Array(" HTTP/\(Self.version(entry, request))".utf8)
    } else {
      line.append(UInt8(ascii: "-"))
    }
    line += Array("\" \(entry.status) \(entry.bytes) \"".utf8)
    appendField(.referer, entry, request, parsed, to: &line)
    line += Array("\" \"".utf8)
    appendField(.userAgent, entry, request, parsed, to: &line)
    let endpoint = entry.endpoint?.description ?? "-"
    line += Array(
      "\" \(entry.reason?.rawValue ?? "-") \(entry.name) \(entry.client ?? "-") \(endpoint) \(entry.microseconds)\n"
        .utf8)
  }

  /// One JSON object a line; keys never change their meaning.
  func jsonLine(_ entry: AccessLogEntry, request: inout RequestHead, time: CivilTime, to line: inout [UInt8]) {
    let parsed = request.parse(entry.head, limits: Self.generousLimits) == .complete
    line += Array("{\"time\":\"\(time.iso8601)\",\"peer\":\"\(entry.peer?.ip ?? "")\"".utf8)
    func field(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
      line += Array(",\"\(name)\":\"".utf8)
      Self.append(value, to: &line)
      line.append(UInt8(ascii: "\""))
    }
    if let caller = entry.caller { Array(caller.utf8).withUnsafeBytes { field("caller", $0) } }
    if parsed {
      field("method", entry.head[request.methodRange])
      field("target", entry.head[request.target])
      if let host = request.host { field("host", entry.head[host]) }
      if let value = request.value(of: .referer) { field("referer", entry.head[value]) }
      if let value = request.value(of: .userAgent) { field("user_agent", entry.head[value]) }
      line += Array(",\"http\":\"\(Self.version(entry, request))\"".utf8)
    }
    line += Array(",\"status\":\(entry.status),\"bytes\":\(entry.bytes),\"duration_us\":\(entry.microseconds)".utf8)
    line += Array(",\"name\":\"\(Self.escapeName(entry.name))\"".utf8)
    if let client = entry.client { line += Array(",\"client\":\"\(Self.escapeName(client))\"".utf8) }
    if let endpoint = entry.endpoint { line += Array(",\"endpoint\":\"\(endpoint)\"".utf8) }
    if let reason = entry.reason { line += Array(",\"reason\":\"\(reason.rawValue)\"".utf8) }
    if entry.requeues > 0 { line += Array(",\"requeues\":\(entry.requeues)".utf8) }
    line += Array("}\n".utf8)
  }

  /// The head was accepted once; the log must not refuse it a second time for another router's limits.
  private static var generousLimits: H1Limits {
    H1Limits(lineBytesMax: 1 << 20, headBytesMax: 2 << 20, fieldCountMax: H1Limits.fieldCountCeiling)
  }

  private func appendField(
    _ header: KnownHeader, _ entry: AccessLogEntry, _ request: RequestHead, _ parsed: Bool, to line: inout [UInt8]
  ) {
    if parsed, let value = request.value(of: header) {
      Self.append(entry.head[value], to: &line)
    } else {
      line.append(UInt8(ascii: "-"))
    }
  }

  private static func version(_ entry: AccessLogEntry, _ request: borrowing RequestHead) -> String {
    entry.isHTTP2 ? "2.0" : request.minorVersion == 1 ? "1.1" : "1.0"
  }

  /// Escapes what would end or falsify a quoted value: quotes, backslashes, controls and bytes beyond ASCII.
  private static func append(_ bytes: UnsafeRawBufferPointer, to line: inout [UInt8]) {
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): line += [UInt8(ascii: "\\"), byte]
      case 0x20..<0x7f: line.append(byte)
      default: line += Array("\\u00".utf8) + [Ascii.hexDigit(byte >> 4), Ascii.hexDigit(byte & 15)]
      }
    }
  }

  /// Printed names hold backslashes where bytes are escaped.
  private static func escapeName(_ name: String) -> String {
    name.contains("\\") ? name.split(separator: "\\", omittingEmptySubsequences: false).joined(separator: "\\\\") : name
  }
}
