/// What the framing fields say, before method and status are weighed in.
enum DeclaredFraming {
  case nothing
  case length(UInt64)
  case chunked
  case failed(H1Error)
}

extension FieldBlock {
  /// Reads Content-Length and Transfer-Encoding; any doubt is an error, RFC 9112 §6.3.
  @inline(__always)
  func declaredFraming(_ bytes: Bytes, minorVersion: UInt8) -> DeclaredFraming {
    if present.contains(.transferEncoding) { return transferEncoding(bytes, minorVersion: minorVersion) }
    guard let index = index(of: .contentLength) else { return .nothing }
    // Even equal values: they arise from a message that something on the way has tampered with.
    if repeated.contains(.contentLength) {
      return .failed(H1Error(.repeatedContentLength, at: storage[secondIndex(of: .contentLength)].line.start))
    }
    return contentLength(bytes, storage[index].value)
  }

  @inline(__always)
  private func contentLength(_ bytes: Bytes, _ value: ByteRange) -> DeclaredFraming {
    if value.isEmpty { return .failed(H1Error(.badContentLength, at: value.start)) }
    var length: UInt64 = 0
    for index in value.indices {
      let digit = bytes[index] &- 0x30
      if digit > 9 { return badContentLength(bytes, value, at: index) }
      // Eighteen digits always fit. Peers keep lengths in signed words, so 2^63 and above are refused, not passed on.
      if index &- value.start >= 18, length > (UInt64(Int64.max) - UInt64(digit)) / 10 {
        return .failed(H1Error(.contentLengthTooLarge, at: index))
      }
      length = length &* 10 &+ UInt64(digit)
    }
    return .length(length)
  }

  @inline(never)
  private func badContentLength(_ bytes: Bytes, _ value: ByteRange, at index: Int) -> DeclaredFraming {
    let isList = value.indices.contains { bytes[$0] == UInt8(ascii: ",") }
    return .failed(H1Error(isList ? .repeatedContentLength : .badContentLength, at: index))
  }

  /// `chunked` alone, once, is all that is accepted.
  @inline(never)
  private func transferEncoding(_ bytes: Bytes, minorVersion: UInt8) -> DeclaredFraming {
    guard let first = index(of: .transferEncoding) else { return .nothing }
    let place = storage[first].value
    if present.contains(.contentLength) { return .failed(H1Error(.lengthAndTransferEncoding, at: place.start)) }
    if minorVersion == 0 { return .failed(H1Error(.transferEncodingOnOldVersion, at: place.start)) }
    var chunkedAt: Int?
    var unknownAt: Int?
    for index in first..<count where storage[index].id == .transferEncoding {
      let value = storage[index].value
      // An empty member ("", ", chunked") is legal in other lists; here peers disagree about it.
      if value.isEmpty || hasEmptyMember(bytes, value) {
        return .failed(H1Error(.badTransferEncoding, at: value.start))
      }
      var list = ByteList(bytes, value)
      while let coding = list.nextMember() {
        if bytes.equal(coding, ignoringCase: "chunked") {
          if chunkedAt != nil { return .failed(H1Error(.chunkedTwice, at: coding.start)) }
          chunkedAt = coding.start
        } else {
          if chunkedAt != nil { return .failed(H1Error(.chunkedNotLast, at: coding.start)) }
          if !isCoding(bytes, coding) { return .failed(H1Error(.badTransferEncoding, at: coding.start)) }
          unknownAt = unknownAt ?? coding.start
        }
      }
    }
    if let unknownAt { return .failed(H1Error(.unknownTransferCoding, at: unknownAt)) }
    return .chunked
  }

  private func hasEmptyMember(_ bytes: Bytes, _ value: ByteRange) -> Bool {
    var isEmpty = true
    for index in value.indices {
      switch bytes[index] {
      case UInt8(ascii: ","):
        if isEmpty { return true }
        isEmpty = true
      case 0x20, 0x09: break
      default: isEmpty = false
      }
    }
    return isEmpty
  }

  /// A coding that is named properly and is not chunked in disguise; parameters are not looked into.
  private func isCoding(_ bytes: Bytes, _ range: ByteRange) -> Bool {
    var end = range.start
    while end < range.end, ByteClass.of(bytes[end]).contains(.token) { end += 1 }
    if end == range.start { return false }
    if bytes.equal(ByteRange(from: range.start, to: end), ignoringCase: "chunked") { return false }
    while end < range.end, bytes[end] == 0x20 || bytes[end] == 0x09 { end += 1 }
    return end == range.end || bytes[end] == UInt8(ascii: ";")
  }
}
