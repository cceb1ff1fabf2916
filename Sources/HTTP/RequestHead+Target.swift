extension RequestHead {
  /// Reads a target that is not a plain path: RFC 9112 §3.2.2 to §3.2.4.
  @inline(never)
  mutating func parseOtherTarget(_ bytes: Bytes) -> H1Error? {
    authority = .empty
    pathAndQuery = .empty
    pathNeedsSlash = false
    isServerWide = false
    if method == .connect {
      targetForm = .authority
      authority = target
      return Authority.isValid(bytes, target, port: .required)
        ? nil : H1Error(.connectWithoutAuthority, at: target.start)
    }
    if target.count == 1, bytes[target.start] == UInt8(ascii: "*") {
      targetForm = .asterisk
      pathAndQuery = target
      return method == .options ? nil : H1Error(.asteriskWithoutOptions, at: target.start)
    }
    return parseAbsoluteTarget(bytes)
  }

  private mutating func parseAbsoluteTarget(_ bytes: Bytes) -> H1Error? {
    guard let colon = target.indices.first(where: { bytes[$0] == UInt8(ascii: ":") }) else {
      return H1Error(.badTarget, at: target.start)
    }
    let start = colon + 3
    guard start <= target.end, bytes[colon + 1] == UInt8(ascii: "/"), bytes[colon + 2] == UInt8(ascii: "/") else {
      let isAuthority = Authority.isValid(bytes, target)
      return H1Error(isAuthority ? .authorityWithoutConnect : .badTarget, at: target.start)
    }
    let scheme = ByteRange(from: target.start, to: colon)
    if !bytes.equal(scheme, ignoringCase: "http") && !bytes.equal(scheme, ignoringCase: "https") {
      return H1Error(.unsupportedScheme, at: target.start)
    }
    targetForm = .absolute
    var end = start
    while end < target.end, bytes[end] != UInt8(ascii: "/"), bytes[end] != UInt8(ascii: "?") {
      if bytes[end] == UInt8(ascii: "@") { return H1Error(.userinfoInTarget, at: end) }
      end += 1
    }
    authority = ByteRange(from: start, to: end)
    if authority.isEmpty || !Authority.isValid(bytes, authority) { return H1Error(.badAuthority, at: start) }
    if end == target.end {
      // No path and no query: the last slash of "://" stands for the path.
      pathAndQuery = ByteRange(from: start - 1, to: start)
      isServerWide = method == .options
    } else {
      pathAndQuery = ByteRange(from: end, to: target.end)
      pathNeedsSlash = bytes[end] == UInt8(ascii: "?")
    }
    return nil
  }
}
