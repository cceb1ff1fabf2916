/// Puts received header fields together as the text of an HTTP/1.1 head, so that one parser reads both protocols.
///
/// libnghttp2 has checked names, order and the presence of pseudo-header fields. What could still break the text form
/// (a control, a blank where the text has structure) makes the section malformed here, so that no field can turn
/// into two. One section at a time: header blocks do not interleave. Confined to one worker.
final class HTTP2HeadReader {
  enum Kind { case request, response, trailers }

  /// The text, complete after `finish`.
  let text = ByteBuffer(minimumCapacity: 2_048)
  private(set) var kind = Kind.request
  /// The stream the section belongs to; 0 between sections.
  private(set) var streamID: Int32 = 0
  /// Bytes of the section so far, 32 more for each field (RFC 9113 §6.5.2).
  private(set) var listBytes = 0
  /// The section exceeds the limit; its text is not kept.
  private(set) var isTooLarge = false
  /// The stream is refused: fields are counted and thrown away.
  private(set) var isRefused = false
  /// Of a response.
  private(set) var status = 0
  private(set) var isExtendedConnect = false
  private(set) var schemeIsHTTPS = false

  private var limit = 0
  private var isStarted = false
  private var hasHost = false
  private var hasLength = false
  private var isConnect = false
  /// Values of the pseudo-header fields, until the start line is written.
  private let pseudo = ByteBuffer(minimumCapacity: 512)
  private var method = ByteRange.empty
  private var path = ByteRange.empty
  private var authority = ByteRange.empty
  private var extendedProtocol = ByteRange.empty
  /// Cookie fields joined, RFC 9113 §8.2.3.
  private let cookie = ByteBuffer()

  /// Storage beyond this is given back after a section.
  static let keptBytesMax = 16_384

  /// Of a response after a 1xx and of trailers alike libnghttp2 says only that they are not the first section: what it
  /// is shows with the first field, so `trailers` may turn into `response`.
  func begin(_ kind: Kind, streamID: Int32, limit: Int) {
    self.kind = kind
    self.streamID = streamID
    self.limit = limit
    listBytes = 0
    isTooLarge = false
    isRefused = false
    status = 0
    isExtendedConnect = false
    schemeIsHTTPS = false
    isStarted = false
    hasHost = false
    hasLength = false
    isConnect = false
    method = .empty
    path = .empty
    authority = .empty
    extendedProtocol = .empty
    text.removeAll()
    pseudo.removeAll()
    cookie.removeAll()
  }

  /// The method is HEAD, as far as it was read.
  var isHead: Bool { pseudo.readable[method].elementsEqual("HEAD".utf8) }

  /// Nothing of the section is kept.
  func refuse() {
    isRefused = true
    isTooLarge = true
    limit = 0
  }

  /// Forgets the section.
  func end() {
    streamID = 0
    if text.capacity > HTTP2HeadReader.keptBytesMax { text.releaseStorage() }
    if pseudo.capacity > HTTP2HeadReader.keptBytesMax { pseudo.releaseStorage() }
    if cookie.capacity > HTTP2HeadReader.keptBytesMax { cookie.releaseStorage() }
  }

  /// Takes one field; false if it makes the section malformed.
  func add(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) -> Bool {
    listBytes &+= name.count &+ value.count &+ 32
    if listBytes > limit {
      isTooLarge = true
      return true
    }
    guard name.count > 0 else { return false }
    if name[0] == UInt8(ascii: ":") { return addPseudo(name, value) }
    if !isStarted, !start() { return false }

    // The whole line is laid out after the text, with a word to spare behind it: so words may be loaded everywhere.
    let line = name.count &+ value.count &+ 4
    let room = text.writable(minimum: line &+ 16)
    guard let base = room.baseAddress else { return false }
    copy(name, to: base)
    base.storeBytes(of: UInt16(0x203a).littleEndian, toByteOffset: name.count, as: UInt16.self)
    let valueBase = base + (name.count &+ 2)
    copy(value, to: valueBase)
    valueBase.storeBytes(of: UInt16(0x0a0d).littleEndian, toByteOffset: value.count, as: UInt16.self)
    if !isFieldValue(valueBase, value.count) { return false }
    let word = UInt64(littleEndian: base.loadUnaligned(as: UInt64.self))
    switch name.count {
    case 4 where Word.prefix(word, 4) == Word.literal("host"): return addHost(value, lineBytes: line)
    case 6 where Word.prefix(word, 6) == Word.literal("cookie"):
      if !cookie.isEmpty { cookie.append("; ") }
      cookie.append(value)
      return true
    case 14 where word == Word.literal("content-"):
      let rest = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      if Word.prefix(rest, 6) == Word.literal("length") { hasLength = true }
    default: break
    }
    text.didWrite(line)
    return true
  }

  @inline(__always)
  private func copy(_ bytes: UnsafeRawBufferPointer, to target: UnsafeMutableRawPointer) {
    if let source = bytes.baseAddress, bytes.count > 0 { target.copyMemory(from: source, byteCount: bytes.count) }
  }

  /// Completes the text; false if the section is malformed.
  func finish(endStream: Bool) -> Bool {
    if isTooLarge { return true }
    if !isStarted, !start() { return false }
    if !cookie.isEmpty {
      text.append("Cookie: ")
      text.append(cookie.readable)
      text.append("\r\n")
    }
    switch kind {
    case .trailers: return true
    case .request:
      if !endStream, !hasLength, !isConnect, !isExtendedConnect { text.append("Transfer-Encoding: chunked\r\n") }
    case .response:
      if !endStream, !hasLength, status >= 200, status != 204, status != 304 {
        text.append("Transfer-Encoding: chunked\r\n")
      }
    }
    text.append("\r\n")
    return true
  }

  /// libnghttp2 has refused names that are none of the six.
  private func addPseudo(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
    if name.count < 5 { return false }
    switch (name.count, name[2]) {
    case (5, UInt8(ascii: "a")): return keep(value, &path)
    case (7, UInt8(ascii: "e")): return keep(value, &method)
    case (10, UInt8(ascii: "u")): return keep(value, &authority)
    case (9, UInt8(ascii: "r")): return keep(value, &extendedProtocol)
    case (7, UInt8(ascii: "c")):
      schemeIsHTTPS = value.count == 5 && value[4] == UInt8(ascii: "s")
      return true
    case (7, UInt8(ascii: "t")): return takeStatus(value)
    default: return false
    }
  }

  private func takeStatus(_ value: UnsafeRawBufferPointer) -> Bool {
    if value.count != 3 || isStarted || kind == .request { return false }
    kind = .response
    for index in 0..<3 {
      let digit = value[index] &- 0x30
      if digit > 9 { return false }
      status = status &* 10 &+ Int(digit)
    }
    return status >= 100
  }

  /// Keeps a value that will stand in the start line: it has no blank and no control.
  private func keep(_ value: UnsafeRawBufferPointer, _ range: inout ByteRange) -> Bool {
    if isStarted || value.count == 0 || range.count > 0 { return false }
    let room = pseudo.writable(minimum: value.count &+ 8)
    guard let base = room.baseAddress else { return false }
    copy(value, to: base)
    if !isVisible(base, value.count) { return false }
    let from = pseudo.count
    pseudo.didWrite(value.count)
    range = ByteRange(from: from, to: from &+ value.count)
    return true
  }

  /// Writes the start line, and Host where the request says it in `:authority`.
  private func start() -> Bool {
    isStarted = true
    switch kind {
    case .trailers: return true
    case .response:
      if status == 0 { return false }
      text.append("HTTP/1.1 ")
      text.append(decimal: status)
      text.append(" \r\n")
      return true
    case .request: return startRequest()
    }
  }

  private func startRequest() -> Bool {
    let values = pseudo.readable
    let all = Bytes(values)
    if method.count == 0 { return false }
    let isNamedConnect = method.count == 7 && all.matches(method.start, "CONNECT")
    isConnect = isNamedConnect && extendedProtocol.isEmpty
    if isConnect {
      if authority.count == 0 || path.count > 0 { return false }
      text.append("CONNECT ")
      text.append(values[authority])
    } else {
      // RFC 9113 §8.3.1; an absolute form here would be a second authority.
      if path.count == 0 { return false }
      let first = all[path.start]
      if first != UInt8(ascii: "/") {
        let isOptions = method.count == 7 && all.matches(method.start, "OPTIONS")
        if path.count != 1 || first != UInt8(ascii: "*") || !isOptions { return false }
      }
      if extendedProtocol.count > 0 {
        // RFC 8441 §4: CONNECT only, and the protocol must be a token to stand in Upgrade.
        if !isNamedConnect
          || all.skip(.token, from: extendedProtocol.start, to: extendedProtocol.end)
            != extendedProtocol.end
        {
          return false
        }
        isExtendedConnect = true
        text.append("GET ")
      } else {
        if all.skip(.token, from: method.start, to: method.end) != method.end { return false }
        text.append(values[method])
        text.append(UInt8(ascii: " "))
      }
      text.append(values[path])
    }
    text.append(" HTTP/1.1\r\n")
    if authority.count > 0 {
      text.append("Host: ")
      text.append(values[authority])
      text.append("\r\n")
    }
    if isExtendedConnect {
      text.append("Connection: Upgrade\r\nUpgrade: ")
      text.append(values[extendedProtocol])
      text.append("\r\n")
    }
    return true
  }

  /// A Host field beside `:authority` must say the same (RFC 9113 §8.3.1), and a second one is refused. Its line lies
  /// ready behind the text.
  private func addHost(_ value: UnsafeRawBufferPointer, lineBytes: Int) -> Bool {
    if kind == .request {
      if hasHost { return false }
      hasHost = true
      if authority.count > 0 {
        let known = pseudo.readable[authority]
        return known.count == value.count && known.elementsEqual(value)
      }
      text.append("Host: ")
      text.append(value)
      text.append("\r\n")
      return true
    }
    text.didWrite(lineBytes)
    return true
  }

  /// Field values may hold HTAB besides blanks and visible bytes, and neither at an end (RFC 9113 §8.2.1). There is a
  /// word of memory behind the value.
  @inline(__always)
  private func isFieldValue(_ base: UnsafeMutableRawPointer, _ count: Int) -> Bool {
    if count == 0 { return true }
    let first = base.load(as: UInt8.self)
    if first <= 0x20 || base.load(fromByteOffset: count &- 1, as: UInt8.self) <= 0x20 { return false }
    var index = 0
    while index < count {
      let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      let mask = Word.prefix(Word.controls(word), count &- index)
      if mask == 0 {
        index &+= 8
        continue
      }
      index &+= Word.first(mask)
      if base.load(fromByteOffset: index, as: UInt8.self) != 0x09 { return false }
      index &+= 1
    }
    return true
  }

  @inline(__always)
  private func isVisible(_ base: UnsafeMutableRawPointer, _ count: Int) -> Bool {
    var index = 0
    while index < count {
      let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      if Word.prefix(Word.below(word, 0x21) | Word.equal(word, to: 0x7f), count &- index) != 0 { return false }
      index &+= 8
    }
    return true
  }
}
