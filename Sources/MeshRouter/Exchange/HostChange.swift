import HTTP
import MeshBase

/// The backend knows its service by another host than the caller does.
struct HostChange {
  /// What Host says to the backend.
  let service: [UInt8]
  /// What it said to us; not empty.
  let original: [UInt8]

  /// Appends the links of a response, those to the service with the caller's host in its place.
  func appendLinks(_ block: borrowing FieldBlock, _ head: UnsafeRawBufferPointer, to out: ByteBuffer) {
    if block.present.isDisjoint(with: [.location, .refresh]) { return }
    for field in block.fields where (field.id == .location || field.id == .refresh) && !field.isHopByHop {
      let value = head[field.value]
      guard let place = authority(in: value, isRefresh: field.id == .refresh) else {
        out.append(head[field.line])
        continue
      }
      out.append(UnsafeRawBufferPointer(rebasing: head[field.line.start..<(field.value.start + place.lowerBound)]))
      original.withUnsafeBytes { out.append($0) }
      out.append(UnsafeRawBufferPointer(rebasing: head[(field.value.start + place.upperBound)..<field.line.end]))
    }
  }

  /// Where in the value the authority of its URL stands, if that is the service's.
  func authority(in value: UnsafeRawBufferPointer, isRefresh: Bool) -> Range<Int>? {
    var start = 0
    if isRefresh {
      // `5; url=http://…`; quotes are common.
      guard let equals = value.firstIndex(of: UInt8(ascii: "=")) else { return nil }
      start = value[(equals + 1)...].firstIndex { !Self.blanksAndQuotes.contains($0) } ?? value.count
    }
    guard let slash = value[start...].firstIndex(of: UInt8(ascii: "/")), slash + 1 < value.count,
      value[slash + 1] == UInt8(ascii: "/"), slash == start || Self.isScheme(value[start..<slash])
    else { return nil }
    let first = slash + 2
    let end = value[first...].firstIndex { Self.authorityEnds.contains($0) } ?? value.count
    let found = value[first..<end]
    return found.elementsEqual(service, by: { Ascii.lowercased($0) == Ascii.lowercased($1) }) ? first..<end : nil
  }

  private static let blanksAndQuotes = Array(" \t\"'".utf8)
  private static let authorityEnds = Array("/?#;,\"' \t".utf8)

  /// `http:`; what stands before two slashes may also be a relative path with a query.
  private static func isScheme(_ text: Slice<UnsafeRawBufferPointer>) -> Bool {
    text.count > 1 && text.last == UInt8(ascii: ":")
      && text.dropLast().allSatisfy { Ascii.isDigit($0) || (0x61...0x7a).contains(Ascii.lowercased($0)) }
  }
}

extension Exchange {
  /// Puts `host` into the head that is ready to be sent.
  func changeHost(to host: [UInt8]) {
    let head = requestHead.readable
    guard let value = Self.hostValue(in: head) else { return }
    let changed = worker.takeBuffer()
    changed.append(UnsafeRawBufferPointer(rebasing: head[..<value.lowerBound]))
    host.withUnsafeBytes { changed.append($0) }
    changed.append(UnsafeRawBufferPointer(rebasing: head[value.upperBound...]))
    // A caller of HTTP/1.0 may name none; what it gets then is the backend's own word.
    if !value.isEmpty { hostChange = HostChange(service: host, original: Array(head[value])) }
    requestHead.removeAll()
    requestHead.append(changed.readable)
    commonLength = requestHead.count
    worker.giveBack(changed)
  }

  /// Each line of the head ends with CRLF; there is one Host.
  private static func hostValue(in head: UnsafeRawBufferPointer) -> Range<Int>? {
    var rest = head[...]
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      rest = rest[(end + 1)...]
      guard rest.count >= 5, rest.prefix(5).elementsEqual("host:".utf8, by: { Ascii.lowercased($0) == $1 }) else {
        continue
      }
      let line = rest[(end + 6)...].prefix { $0 != UInt8(ascii: "\r") }
      let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
      let first = line.firstIndex { !isBlank($0) } ?? line.endIndex
      let last = line.lastIndex { !isBlank($0) } ?? first - 1
      return first..<(last + 1)
    }
    return nil
  }
}
