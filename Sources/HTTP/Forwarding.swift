extension FieldBlock {
  /// Appends all field lines that may go on to the next hop, as they came: not the hop-by-hop ones, not those in `skip`.
  ///
  /// Neighbouring lines are copied in one go; the usual head without connection fields is a single copy. `head` must be
  /// the bytes this block was parsed from.
  @inlinable
  public func appendForwardable(
    _ head: UnsafeRawBufferPointer, skipping skip: KnownHeaderSet, to buffer: ByteBuffer
  ) {
    if count == 0 { return }
    let first = storage[0]
    let last = storage[count &- 1]
    if !hasHopByHop && present.isDisjoint(with: skip) {
      buffer.append(UnsafeRawBufferPointer(rebasing: head[first.line.start..<last.line.end]))
      return
    }
    var runStart = first.line.start
    for index in 0..<count {
      let field = storage[index]
      if !field.isHopByHop && !skip.contains(field.id) { continue }
      if field.line.start > runStart {
        buffer.append(UnsafeRawBufferPointer(rebasing: head[runStart..<field.line.start]))
      }
      runStart = field.line.end
    }
    if last.line.end > runStart { buffer.append(UnsafeRawBufferPointer(rebasing: head[runStart..<last.line.end])) }
  }
}

extension RequestHead {
  /// Appends all field lines that may go on to the next hop; see `FieldBlock.appendForwardable`.
  ///
  /// Where the target's authority wins over Host (absolute form), skip `.host` and write the line anew.
  @inlinable
  public func appendForwardable(
    _ head: UnsafeRawBufferPointer, skipping skip: KnownHeaderSet, to buffer: ByteBuffer
  ) {
    block.appendForwardable(head, skipping: skip, to: buffer)
  }

  /// Appends the target for an origin server: path and query, or `*`; the authority for CONNECT.
  @inlinable
  public func appendOriginForm(_ head: UnsafeRawBufferPointer, to buffer: ByteBuffer) {
    if targetForm == .authority { return buffer.append(head[target]) }
    if isServerWide { return buffer.append(UInt8(ascii: "*")) }
    if pathNeedsSlash { buffer.append(UInt8(ascii: "/")) }
    buffer.append(head[pathAndQuery])
  }
}

extension ResponseHead {
  /// Appends all field lines that may go on to the next hop; see `FieldBlock.appendForwardable`.
  @inlinable
  public func appendForwardable(
    _ head: UnsafeRawBufferPointer, skipping skip: KnownHeaderSet, to buffer: ByteBuffer
  ) {
    block.appendForwardable(head, skipping: skip, to: buffer)
  }
}
