import CNghttp2

/// Turns the text of an HTTP/1.1 head, written by ourselves, into the fields libnghttp2 sends.
///
/// The text is parsed as a received one would be, so a fault in it is refused here and never reaches the wire. Names
/// need no lower case: libnghttp2 copies fields when they are submitted, and folds the names in its copy. The array is
/// kept from head to head; steady state allocates nothing. Confined to one worker.
final class HTTP2HeadWriter {
  private(set) var fields: UnsafeMutablePointer<nghttp2_nv>
  private(set) var count = 0
  private var capacity = 64
  private var block = FieldBlock()
  /// The value of `:status`.
  private(set) var status = 0

  /// Cookies shorter than this stay whole: a crumb costs more than it saves.
  static let cookieSplitBytesMin = 32

  init() { fields = .allocate(capacity: capacity) }

  deinit { fields.deallocate() }

  /// Of a request head; false if the text is not well-formed.
  func request(_ text: UnsafeRawBufferPointer, isHTTPS: Bool, extended: Bool) -> Bool {
    count = 0
    let bytes = Bytes(text)
    var end = 0
    while end < bytes.count, bytes[end] > 0x20 { end &+= 1 }
    let method = ByteRange(from: 0, to: end)
    let from = end &+ 1
    end = from
    while end < bytes.count, bytes[end] > 0x20 { end &+= 1 }
    let target = ByteRange(from: from, to: end)
    if method.isEmpty || target.isEmpty || end &+ 11 > bytes.count { return false }
    if bytes.word(at: end &+ 1) != Word.literal("HTTP/1.1") || !isLineEnd(bytes, end &+ 9) { return false }
    guard parse(bytes, from: end &+ 11) else { return false }

    let isConnect = method.count == 7 && bytes.matches(0, "CONNECT")
    if extended {
      guard let wanted = block.value(of: .upgrade) else { return false }
      add(":method", "CONNECT")
      add(":protocol", text[wanted])
    } else {
      add(":method", text[method])
    }
    if isConnect {
      add(":authority", text[target])
    } else {
      if isHTTPS { add(":scheme", "https") } else { add(":scheme", "http") }
      if let host = block.value(of: .host), host.count > 0 { add(":authority", text[host]) }
      add(":path", text[target])
    }
    addFields(text, bytes)
    return true
  }

  /// Of a response head; sets `status`.
  func response(_ text: UnsafeRawBufferPointer) -> Bool {
    count = 0
    status = 0
    let bytes = Bytes(text)
    if bytes.count < 15 || bytes.word(at: 0) != Word.literal("HTTP/1.1") || bytes[8] != 0x20 { return false }
    for index in 9..<12 {
      let digit = bytes[index] &- 0x30
      if digit > 9 { return false }
      status = status &* 10 &+ Int(digit)
    }
    if status < 100 { return false }
    var end = 12
    while end < bytes.count, bytes[end] != UInt8(ascii: "\r") { end &+= 1 }
    if !isLineEnd(bytes, end) || !parse(bytes, from: end &+ 2) { return false }
    add(":status", text[ByteRange(from: 9, to: 12)])
    addFields(text, bytes)
    return true
  }

  /// Of field lines with the blank line after them.
  func trailers(_ text: UnsafeRawBufferPointer) -> Bool {
    count = 0
    let bytes = Bytes(text)
    if !parse(bytes, from: 0) { return false }
    addFields(text, bytes)
    return true
  }

  private func isLineEnd(_ bytes: Bytes, _ index: Int) -> Bool {
    index &+ 2 <= bytes.count && bytes[index] == UInt8(ascii: "\r") && bytes[index &+ 1] == UInt8(ascii: "\n")
  }

  private func parse(_ bytes: Bytes, from start: Int) -> Bool {
    guard case .done = block.parse(bytes, from: start, fieldCountMax: H1Limits.fieldCountCeiling) else { return false }
    return true
  }

  /// All lines but those that concern an HTTP/1 connection (RFC 9113 §8.2.2) or became pseudo-header fields.
  private func addFields(_ text: UnsafeRawBufferPointer, _ bytes: Bytes) {
    var takesTrailers = false
    block.storage.withUnsafeBufferPointer { fields in
      var index = 0
      while index < block.count {
        let field = fields[index]
        index &+= 1
        switch field.id {
        case .host, .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade, .http2Settings: continue
        case .te: takesTrailers = true
        case .cookie where field.value.count >= HTTP2HeadWriter.cookieSplitBytesMin:
          addCookie(text[field.name], text, bytes, field.value)
        // No two are alike: in the table they would drive out those that come again (RFC 7541 §6.2.3).
        case .l5dCtxTrace, .l5dReqid, .traceparent, .xRequestID:
          add(text[field.name], text[field.value], NGHTTP2_NV_FLAG_NO_INDEX)
        default: add(text[field.name], text[field.value])
        }
      }
    }
    if takesTrailers, block.list(.te, contains: "trailers", bytes) { add("te", "trailers") }
  }

  /// One field for each pair, so that the peer's table keeps those that did not change (RFC 9113 §8.2.3).
  private func addCookie(
    _ name: UnsafeRawBufferPointer, _ text: UnsafeRawBufferPointer, _ bytes: Bytes, _ value: ByteRange
  ) {
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
        add(name, text[ByteRange(from: from, to: index)])
        from = index &+ 2
      }
      index &+= 1
    }
    add(name, text[ByteRange(from: from, to: value.end)])
  }

  private func add(_ name: StaticString, _ value: StaticString) {
    add(
      UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount),
      UnsafeRawBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount))
  }

  private func add(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
    add(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), value)
  }

  @inline(__always)
  private func add(
    _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ flag: nghttp2_nv_flag = NGHTTP2_NV_FLAG_NONE
  ) {
    if count == capacity { grow() }
    // libnghttp2 only reads what it copies; its declaration lacks the const.
    (fields + count).initialize(
      to: nghttp2_nv(
        name: UnsafeMutablePointer(mutating: name.baseAddress?.assumingMemoryBound(to: UInt8.self)),
        value: UnsafeMutablePointer(mutating: value.baseAddress?.assumingMemoryBound(to: UInt8.self)),
        namelen: name.count, valuelen: value.count, flags: UInt8(flag.rawValue)))
    count &+= 1
  }

  @inline(never)
  private func grow() {
    let larger = UnsafeMutablePointer<nghttp2_nv>.allocate(capacity: capacity * 2)
    larger.update(from: fields, count: count)
    fields.deallocate()
    fields = larger
    capacity *= 2
  }
}
