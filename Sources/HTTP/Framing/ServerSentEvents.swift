/// One event of a `text/event-stream`.
public struct ServerSentEvent: Equatable, Sendable {
  /// `message` where the server named none.
  public var type: String
  /// The data lines, joined with LF.
  public var data: [UInt8]
  /// The last one that the server gave, with this event or before.
  public var id: String?
  /// The event was larger than the limit: its data are left out. What it told of must be found out otherwise.
  public var isOversized: Bool

  public init(type: String, data: [UInt8], id: String? = nil, isOversized: Bool = false) {
    self.type = type
    self.data = data
    self.id = id
    self.isOversized = isOversized
  }
}

/// Takes a `text/event-stream` apart (WHATWG HTML §9.2), pulled event by event from whatever input is at hand.
///
/// CR, LF and CRLF end a line, wherever the input is cut; comments, unknown fields and empty lines on their own, as some
/// servers send them to keep a stream alive, give no event. Holds at most one event: beyond `eventBytesMax` its data are
/// dropped, and the event is marked.
public struct ServerSentEventParser: Sendable {
  private let eventBytesMax: Int
  /// The beginning of a line whose end has not come yet.
  private var line: [UInt8] = []
  /// The line that is being read is longer than an event may be: its rest is dropped.
  private var dropsLine = false
  private var afterCR = false
  private var isFirstLine = true

  private var type: [UInt8] = []
  private var data: [UInt8] = []
  private var hasData = false
  private var isOversized = false
  private var id: String?
  /// The last `retry` field: milliseconds to wait before the next attempt to connect.
  public private(set) var retryMilliseconds: UInt64?

  public init(eventBytesMax: Int = 8 << 20) { self.eventBytesMax = eventBytesMax }

  /// Goes on with `input` from `index`, which moves. `nil`: all input is consumed.
  public mutating func next(_ input: Span<UInt8>, from index: inout Int) -> ServerSentEvent? {
    while index < input.count {
      if afterCR {
        afterCR = false
        if input[index] == 0x0a {
          index += 1
          continue
        }
      }
      let start = index
      while index < input.count, input[index] != 0x0a, input[index] != 0x0d { index += 1 }
      let part = input.extracting(start..<index)
      guard index < input.count else {
        keep(part)
        return nil
      }
      afterCR = input[index] == 0x0d
      index += 1
      if let event = endLine(part) { return event }
    }
    return nil
  }

  private mutating func keep(_ part: Span<UInt8>) {
    if dropsLine { return }
    if line.count + part.count > eventBytesMax {
      dropsLine = true
      line = []
      return
    }
    part.withUnsafeBufferPointer { line.append(contentsOf: $0) }
  }

  private mutating func endLine(_ part: Span<UInt8>) -> ServerSentEvent? {
    if line.isEmpty && !dropsLine && part.count <= eventBytesMax { return take(part) }
    keep(part)
    if dropsLine {
      dropsLine = false
      isOversized = true
      return nil
    }
    let whole = line
    line.removeAll(keepingCapacity: line.capacity <= 65_536)
    return take(whole.span)
  }

  /// A whole line, without its end.
  private mutating func take(_ line: Span<UInt8>) -> ServerSentEvent? {
    var start = 0
    if isFirstLine {
      isFirstLine = false
      // A byte order mark may lead.
      if line.count >= 3, line[0] == 0xef, line[1] == 0xbb, line[2] == 0xbf { start = 3 }
    }
    if start == line.count { return dispatch() }
    var colon = start
    while colon < line.count, line[colon] != 0x3a { colon += 1 }
    if colon == start { return nil }
    var value = min(colon + 1, line.count)
    if value < line.count, line[value] == 0x20 { value += 1 }
    let name = line.extracting(start..<colon)
    let rest = line.extracting(value..<line.count)
    if Self.equal(name, "data") {
      addData(rest)
    } else if Self.equal(name, "event") {
      type = Self.bytes(rest)
    } else if Self.equal(name, "id") {
      let text = Self.bytes(rest)
      if !text.contains(0) { id = String(decoding: text, as: UTF8.self) }
    } else if Self.equal(name, "retry") {
      let digits = Self.bytes(rest)
      if !digits.isEmpty, digits.allSatisfy({ $0 &- 0x30 < 10 }) {
        retryMilliseconds = UInt64(String(decoding: digits, as: UTF8.self)) ?? retryMilliseconds
      }
    }
    return nil
  }

  private mutating func addData(_ rest: Span<UInt8>) {
    if isOversized || data.count + rest.count + 1 > eventBytesMax {
      isOversized = true
      data = []
      return
    }
    if hasData { data.append(0x0a) }
    hasData = true
    rest.withUnsafeBufferPointer { data.append(contentsOf: $0) }
  }

  private mutating func dispatch() -> ServerSentEvent? {
    defer {
      type = []
      data = []
      hasData = false
      isOversized = false
    }
    guard hasData || isOversized else { return nil }
    return ServerSentEvent(
      type: type.isEmpty ? "message" : String(decoding: type, as: UTF8.self), data: isOversized ? [] : data, id: id,
      isOversized: isOversized)
  }

  private static func bytes(_ span: Span<UInt8>) -> [UInt8] { span.withUnsafeBufferPointer { Array($0) } }

  private static func equal(_ span: Span<UInt8>, _ text: StaticString) -> Bool {
    guard span.count == text.utf8CodeUnitCount else { return false }
    for index in 0..<span.count where span[index] != text.utf8Start[index] { return false }
    return true
  }
}
