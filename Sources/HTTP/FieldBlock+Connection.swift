extension FieldBlock {
  /// Reads all Connection fields: sets the three options with a meaning of their own and marks the fields they name.
  ///
  /// Options that name a field of `KnownHeaderSet.notNominable` are ignored: RFC 9110 §7.6.1 forbids to send them, and
  /// obeying one would let a caller take away what frames or routes its message.
  @inline(__always)
  mutating func readConnection(_ bytes: Bytes, optionCountMax: Int) -> H1Error? {
    guard let first = index(of: .connection) else { return nil }
    // The usual values, whole.
    if !repeated.contains(.connection) {
      let value = storage[first].value
      if bytes.equal(value, ignoringCase: "keep-alive") {
        connectionKeepAlive = true
        return nil
      }
      if bytes.equal(value, ignoringCase: "close") {
        connectionClose = true
        return nil
      }
    }
    return readConnectionLists(bytes, first: first, optionCountMax: optionCountMax)
  }

  @inline(never)
  private mutating func readConnectionLists(_ bytes: Bytes, first: Int, optionCountMax: Int) -> H1Error? {
    var options = 0
    for index in first..<count where storage[index].id == .connection {
      var list = ByteList(bytes, storage[index].value)
      while let option = list.nextMember() {
        options += 1
        if options > optionCountMax { return H1Error(.tooManyConnectionOptions, at: option.start) }
        if !bytes.isToken(option) { return H1Error(.badConnectionOption, at: option.start) }
        if bytes.equal(option, ignoringCase: "close") {
          connectionClose = true
        } else if bytes.equal(option, ignoringCase: "keep-alive") {
          connectionKeepAlive = true
        } else if bytes.equal(option, ignoringCase: "upgrade") {
          connectionUpgrade = true
        } else {
          markNominated(bytes, option)
        }
      }
    }
    return nil
  }

  private mutating func markNominated(_ bytes: Bytes, _ option: ByteRange) {
    let id = bytes.knownHeader(option)
    if KnownHeaderSet.notNominable.contains(id) || !present.contains(id) { return }
    let exact = id != .other && id != .l5dOther
    for index in 0..<count where storage[index].id == id {
      if exact || bytes.equalIgnoringCase(storage[index].name, option) {
        storage[index].isHopByHop = true
        hasHopByHop = true
      }
    }
  }

  /// Whether any field `header` has `member` in its list; for lists of tokens.
  func list(_ header: KnownHeader, contains member: StaticString, _ bytes: Bytes) -> Bool {
    guard let first = index(of: header) else { return false }
    for index in first..<count where storage[index].id == header {
      var list = ByteList(bytes, storage[index].value)
      while let range = list.nextMember() {
        if bytes.equal(range, ignoringCase: member) { return true }
      }
    }
    return false
  }

  /// Counts the members of the Via fields; commas within comments do not separate.
  @inline(__always)
  mutating func countVia(_ bytes: Bytes) {
    if present.contains(.via) { countViaMembers(bytes) }
  }

  @inline(never)
  private mutating func countViaMembers(_ bytes: Bytes) {
    for field in fields where field.id == .via {
      var depth = 0
      var inMember = false
      for index in field.value.indices {
        switch bytes[index] {
        case UInt8(ascii: "("): depth += 1
        case UInt8(ascii: ")"): depth = max(0, depth - 1)
        case UInt8(ascii: ",") where depth == 0: inMember = false
        case 0x20, 0x09: break
        default:
          if !inMember { viaCount += 1 }
          inMember = true
        }
      }
    }
  }
}
