import CNghttp2

/// Turns the text of an HTTP/1.1 head, written by ourselves, into the fields libnghttp2 sends.
///
/// The text is split in one pass that refuses whatever could make another line or field of it; the names and values were
/// checked when they came in. Names need no lower case: libnghttp2 copies fields when they are submitted, and folds the
/// names in its copy. The array is kept from head to head; steady state allocates nothing. Confined to one worker.
final class HTTP2HeadWriter {
  private var storage: UnsafeMutablePointer<nghttp2_nv>
  private var capacity = 64
  /// The fields are those from `first` up to `end`: pseudo-header fields come first, but are known last.
  private var first = 0
  private var end = 0
  private var host = ByteRange.empty
  private var upgrade = ByteRange.empty
  private var primesTable = false
  /// The value of `:status`.
  private(set) var status = 0

  /// Cookies shorter than this stay whole: a crumb costs more than it saves.
  static let cookieSplitBytesMin = 32
  private static let pseudoMax = 5

  init() { storage = .allocate(capacity: capacity) }

  deinit { storage.deallocate() }

  /// Valid until the next head is read.
  var fields: UnsafeMutablePointer<nghttp2_nv> { storage + first }
  var count: Int { end &- first }

  /// Of a request head; false if the text is not well-formed. `isFirst`: on its connection.
  func request(_ text: UnsafeRawBufferPointer, isHTTPS: Bool, extended: Bool, isFirst: Bool = false) -> Bool {
    primesTable = isFirst
    let bytes = Bytes(text)
    var index = 0
    while index < bytes.count, bytes[index] > 0x20 { index &+= 1 }
    let method = ByteRange(from: 0, to: index)
    let from = index &+ 1
    index = from
    while index < bytes.count, bytes[index] > 0x20 { index &+= 1 }
    let target = ByteRange(from: from, to: index)
    if method.isEmpty || target.isEmpty || index &+ 11 > bytes.count { return false }
    if bytes.word(at: index &+ 1) != Word.literal("HTTP/1.1") || !isLineEnd(bytes, index &+ 9) { return false }
    begin()
    guard addLines(bytes, from: index &+ 11), !extended || upgrade.count > 0 else { return false }

    let isConnect = method.count == 7 && bytes.matches(0, "CONNECT")
    let hasAuthority = !isConnect && host.count > 0
    let last = end
    first = Self.pseudoMax &- 2 &- (isConnect ? 0 : 1) &- (hasAuthority ? 1 : 0) &- (extended ? 1 : 0)
    end = first
    if extended {
      add(":method", "CONNECT")
      add(":protocol", text[upgrade])
    } else {
      add(":method", text[method])
    }
    if isConnect {
      add(":authority", text[target])
    } else {
      if isHTTPS { add(":scheme", "https") } else { add(":scheme", "http") }
      if hasAuthority { add(":authority", text[host]) }
      add(":path", text[target])
    }
    end = last
    return true
  }

  /// Of a response head; sets `status`.
  func response(_ text: UnsafeRawBufferPointer) -> Bool {
    status = 0
    let bytes = Bytes(text)
    if bytes.count < 15 || bytes.word(at: 0) != Word.literal("HTTP/1.1") || bytes[8] != 0x20 { return false }
    for index in 9..<12 {
      let digit = bytes[index] &- 0x30
      if digit > 9 { return false }
      status = status &* 10 &+ Int(digit)
    }
    if status < 100 { return false }
    var index = 12
    while index < bytes.count, bytes[index] != UInt8(ascii: "\r") { index &+= 1 }
    if !isLineEnd(bytes, index) { return false }
    begin()
    add(":status", text[ByteRange(from: 9, to: 12)])
    return addLines(bytes, from: index &+ 2)
  }

  /// Of field lines with the blank line after them.
  func trailers(_ text: UnsafeRawBufferPointer) -> Bool {
    begin()
    return addLines(Bytes(text), from: 0)
  }

  private func begin() {
    first = Self.pseudoMax
    end = first
    host = .empty
    upgrade = .empty
  }

  private func isLineEnd(_ bytes: Bytes, _ index: Int) -> Bool {
    index &+ 2 <= bytes.count && bytes[index] == UInt8(ascii: "\r") && bytes[index &+ 1] == UInt8(ascii: "\n")
  }

  /// Adds all lines but those that concern an HTTP/1 connection (RFC 9113 §8.2.2) or become pseudo-header fields, up to
  /// the blank line, which must be the end of the text.
  private func addLines(_ bytes: Bytes, from start: Int) -> Bool {
    var line = start
    while true {
      let head = bytes.word(at: line)
      if UInt8(truncatingIfNeeded: head) == UInt8(ascii: "\r") {
        return line &+ 2 == bytes.count && bytes[line &+ 1] == UInt8(ascii: "\n")
      }
      let (id, colon) = FieldScan.name(bytes, line: line, first: head)
      guard let colon = id == .other || id == .l5dOther ? plainName(bytes, line, colon) : colon else { return false }
      var index = colon &+ 1
      var word = bytes.word(at: index)
      let value = UInt8(truncatingIfNeeded: word) == 0x20 ? index &+ 1 : index
      while true {
        let mask = Word.below(word, 0x20)
        if mask == 0 {
          index &+= 8
          word = bytes.word(at: index)
          continue
        }
        index &+= Word.first(mask)
        if index >= bytes.count { return false }
        if bytes[index] != 0x09 { break }
        index &+= 1
        word = bytes.word(at: index)
      }
      if !isLineEnd(bytes, index) { return false }
      add(id, bytes, name: ByteRange(from: line, to: colon), value: trimmed(bytes, from: value, to: index))
      line = index &+ 2
    }
  }

  /// The colon behind a name that is not a known one; nil if it is none, or stands behind a blank or a control.
  @inline(__always)
  private func plainName(_ bytes: Bytes, _ line: Int, _ colon: Int) -> Int? {
    var index = line
    var end = colon
    if end == line {  // longer than the known ones
      while end < bytes.count, bytes[end] != UInt8(ascii: ":") { end &+= 1 }
      if end == line || end == bytes.count { return nil }
    }
    while index < end {
      if Word.prefix(Word.below(bytes.word(at: index), 0x21), end &- index) != 0 { return nil }
      index &+= 8
    }
    return end
  }

  /// A value neither begins nor ends with a blank (RFC 9113 §8.2.1).
  @inline(__always)
  private func trimmed(_ bytes: Bytes, from start: Int, to end: Int) -> ByteRange {
    var (from, to) = (start, end)
    while to > from, bytes[to &- 1] <= 0x20 { to &-= 1 }
    while from < to, bytes[from] <= 0x20 { from &+= 1 }
    return ByteRange(from: min(from, to), to: to)
  }

  @inline(__always)
  private func add(_ id: KnownHeader, _ bytes: Bytes, name: ByteRange, value: ByteRange) {
    var flag = NGHTTP2_NV_FLAG_NONE
    switch id {
    case .other: break
    case .host:
      host = value
      return
    case .upgrade:
      upgrade = value
      return
    case .connection, .keepAlive, .proxyConnection, .transferEncoding, .http2Settings: return
    case .te: return addTE(bytes, value)
    case .cookie where value.count >= Self.cookieSplitBytesMin: return addCookie(name, bytes, value)
    // No two are alike: in the table they would drive out those that come again (RFC 7541 §6.2.3).
    // The first do go there, for their names to be named by number from then on.
    case .l5dCtxTrace, .l5dReqid, .traceparent, .xRequestID: if !primesTable { flag = NGHTTP2_NV_FLAG_NO_INDEX }
    default: break
    }
    add(bytes, name, value, flag)
  }

  @inline(never)
  private func addTE(_ bytes: Bytes, _ value: ByteRange) {
    var list = ByteList(bytes, value)
    while let member = list.nextMember() {
      if bytes.equal(member, ignoringCase: "trailers") { return add("te", "trailers") }
    }
  }

  /// One field for each pair, so that the peer's table keeps those that did not change (RFC 9113 §8.2.3).
  @inline(never)
  private func addCookie(_ name: ByteRange, _ bytes: Bytes, _ value: ByteRange) {
    var from = value.start
    var index = from
    while index < value.end {
      let mask = Word.equal(bytes.word(at: index), to: UInt8(ascii: ";"))
      if mask == 0 {
        index &+= 8
        continue
      }
      index &+= Word.first(mask)
      // A crumb neither begins nor ends with a blank, and is not empty.
      if index &+ 2 < value.end, index > from, bytes[index &+ 1] == 0x20, bytes[index &+ 2] > 0x20,
        bytes[index &- 1] > 0x20
      {
        add(bytes, name, ByteRange(from: from, to: index), NGHTTP2_NV_FLAG_NONE)
        from = index &+ 2
      }
      index &+= 1
    }
    add(bytes, name, ByteRange(from: from, to: value.end), NGHTTP2_NV_FLAG_NONE)
  }

  private func add(_ name: StaticString, _ value: StaticString) {
    add(name, UnsafeRawBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount))
  }

  private func add(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
    add(
      UnsafeRawPointer(name.utf8Start), name.utf8CodeUnitCount, value.baseAddress, value.count, NGHTTP2_NV_FLAG_NONE)
  }

  /// Both ranges lie within `bytes`.
  @inline(__always)
  private func add(_ bytes: Bytes, _ name: ByteRange, _ value: ByteRange, _ flag: nghttp2_nv_flag) {
    precondition(name.end <= bytes.count && value.end <= bytes.count)
    add(bytes.base + name.start, Int(name.count), bytes.base + value.start, Int(value.count), flag)
  }

  @inline(__always)
  private func add(
    _ name: UnsafeRawPointer, _ nameCount: Int, _ value: UnsafeRawPointer?, _ valueCount: Int, _ flag: nghttp2_nv_flag
  ) {
    if end == capacity { grow() }
    // libnghttp2 only reads what it copies; its declaration lacks the const.
    (storage + end).initialize(
      to: nghttp2_nv(
        name: UnsafeMutablePointer(mutating: name.assumingMemoryBound(to: UInt8.self)),
        value: UnsafeMutablePointer(mutating: value?.assumingMemoryBound(to: UInt8.self)),
        namelen: nameCount, valuelen: valueCount, flags: UInt8(flag.rawValue)))
    end &+= 1
  }

  @inline(never)
  private func grow() {
    let larger = UnsafeMutablePointer<nghttp2_nv>.allocate(capacity: capacity * 2)
    (larger + first).update(from: storage + first, count: count)
    storage.deallocate()
    storage = larger
    capacity *= 2
  }
}
