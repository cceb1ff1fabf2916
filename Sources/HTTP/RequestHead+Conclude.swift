extension RequestHead {
  /// Weighs the fields together once all are read: Host, framing, connection options, expectations.
  @inline(__always)
  mutating func conclude(_ bytes: Bytes, limits: H1Limits, end: Int) -> H1Error? {
    if let error = concludeHost(bytes, end: end) { return error }
    switch block.declaredFraming(bytes, minorVersion: minorVersion) {
    case .nothing: framing = .none
    case .length(let length): framing = .length(length)
    case .chunked: framing = .chunked
    case .failed(let error): return error
    }
    if method == .connect, let error = refuseContent() { return error }
    if let error = block.readConnection(bytes, optionCountMax: limits.connectionOptionCountMax) { return error }
    keepAlive = !block.connectionClose && (minorVersion >= 1 || block.connectionKeepAlive)
    block.countVia(bytes)
    expectsContinue = false
    hasUnknownExpectation = false
    wantsUpgrade = false
    acceptsTrailers = false
    if !block.present.isDisjoint(with: RequestHead.seldom) { concludeSeldom(bytes) }
    return nil
  }

  /// Fields that most requests do not have.
  private static var seldom: KnownHeaderSet { [.expect, .upgrade, .te] }

  @inline(__always)
  private mutating func concludeHost(_ bytes: Bytes, end: Int) -> H1Error? {
    guard let index = block.index(of: .host) else {
      // RFC 9112 §3.2: HTTP/1.0 came without.
      if minorVersion >= 1 { return H1Error(.missingHost, at: end) }
      host = authority.isEmpty ? nil : authority
      return nil
    }
    if block.repeated.contains(.host) {
      return H1Error(.repeatedHost, at: block.fields[block.secondIndex(of: .host)].line.start)
    }
    let value = block.fields[index].value
    if !Authority.isValid(bytes, value) { return H1Error(.badHost, at: value.start) }
    // RFC 9112 §3.2.2: the target's authority wins.
    host = authority.isEmpty ? value : authority
    return nil
  }

  private func refuseContent() -> H1Error? {
    switch framing {
    case .none, .length(0): return nil
    default: return H1Error(.contentOnConnect, at: target.start)
    }
  }

  @inline(never)
  private mutating func concludeSeldom(_ bytes: Bytes) {
    if minorVersion >= 1 {
      wantsUpgrade = block.present.contains(.upgrade) && block.connectionUpgrade
      if let first = block.index(of: .expect) {
        for field in block.fields[first...] where field.id == .expect {
          var list = ByteList(bytes, field.value)
          while let member = list.nextMember() {
            if bytes.equal(member, ignoringCase: "100-continue") {
              expectsContinue = true
            } else {
              hasUnknownExpectation = true
            }
          }
        }
      }
    }
    acceptsTrailers = block.list(.te, contains: "trailers", bytes)
  }
}
