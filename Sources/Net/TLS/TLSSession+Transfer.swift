import COpenSSL
import Glibc

extension TLSSession {
  /// Decrypted bytes, as many as are at hand and fit.
  ///
  /// Fewer than fit, and `hasPending` false: the kernel has no more now, and an edge tells of the next.
  public func receive(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    if let end = pendingEnd {
      hasPending = false
      return end
    }
    if transport.hasUnsent {
      let result = transport.flush()
      if result < 0 && !Socket.wouldBlock(result) { return ended(result, after: 0) }
    }
    guard let base = buffer.baseAddress, buffer.count > 0 else { return 0 }
    workspace.current = self
    transport.begin(mayAssumeDry: true)
    var total = 0
    while true {
      let count = SSL_read(ssl, base + total, Int32(clamping: buffer.count - total))
      if count > 0 {
        total += Int(count)
        transferredBytes &+= Int(count)
        if total == buffer.count {
          hasPending = SSL_has_pending(ssl) != 0 || !transport.isDry
          return total
        }
        // A short read of the kernel's, and all of it decrypted.
        if transport.isDry && SSL_has_pending(ssl) == 0 {
          hasPending = false
          return total
        }
        continue
      }
      if transport.isBlocked {
        // The end of the stream has no edge of its own, so say "nothing" only when the kernel does.
        if total == 0 && transport.wasAssumed {
          transport.askKernel()
          continue
        }
        hasPending = false
        return total > 0 ? total : -Int(EAGAIN)
      }
      return ended(classify(count), after: total)
    }
  }

  private func ended(_ end: Int, after total: Int) -> Int {
    pendingEnd = end
    hasPending = total > 0
    return total > 0 ? total : end
  }

  /// Bytes taken. Fewer than given: the kernel is full, so send the rest after the next writable edge, beginning with
  /// the very bytes that were not taken (some of them may be encrypted already).
  public func send(_ buffer: UnsafeRawBufferPointer) -> Int {
    send(buffer, UnsafeRawBufferPointer(start: nil, count: 0))
  }

  /// The same with two pieces in a row; small ones share a record.
  public func send(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Int {
    if failure != nil { return -Int(EPROTO) }
    let total = first.count + second.count
    if transport.hasUnsent && !transport.awaitsCompany {
      let result = transport.flush()
      if result < 0 { return result }
    }
    transport.awaitsCompany = false
    workspace.current = self
    var taken = min(claimedBytes, total)
    claimedBytes -= taken
    while taken < total {
      // Several records go out by one system call; one goes from OpenSSL's own buffer.
      let gathers = total - taken > TLSWorkspace.recordBytesMax && !transport.hasUnsent
      if gathers { transport.gathering = workspace.output }
      let start = taken
      repeat {
        let piece = nextPiece(first, second, from: taken)
        let count = SSL_write(ssl, piece.baseAddress, Int32(piece.count))
        guard count == piece.count else {
          transport.gathering = nil
          return classify(count)
        }
        taken += piece.count
        transferredBytes &+= piece.count
      } while gathers && taken < total && taken - start < 4 * TLSWorkspace.recordBytesMax && !transport.hasUnsent
      let isSent = transport.emit()
      transport.gathering = nil
      if !isSent { return -Int(transport.errorNumber) }
      if transport.hasUnsent {
        let result = transport.flush()
        if result < 0 {
          if !Socket.wouldBlock(result) { return result }
          // Not answered for until the kernel has it, so that the caller waits for a writable edge.
          claimedBytes = min(taken, transport.unsentBytes)
          taken -= claimedBytes
          return taken > 0 ? taken : -Int(EAGAIN)
        }
      }
    }
    return taken
  }

  /// What goes into the next record.
  private func nextPiece(
    _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer, from offset: Int
  ) -> UnsafeRawBufferPointer {
    let most = TLSWorkspace.recordBytesMax
    if offset >= first.count {
      let start = offset - first.count
      return UnsafeRawBufferPointer(rebasing: second[start..<min(start + most, second.count)])
    }
    let left = first.count - offset
    if left >= most || second.isEmpty {
      return UnsafeRawBufferPointer(rebasing: first[offset..<min(offset + most, first.count)])
    }
    let more = min(most - left, second.count)
    workspace.joinedBytes.copyMemory(from: first.baseAddress! + offset, byteCount: left)
    (workspace.joinedBytes + left).copyMemory(from: second.baseAddress!, byteCount: more)
    return UnsafeRawBufferPointer(start: workspace.joinedBytes, count: left + more)
  }

  /// Whether records wait for the kernel, or for company: call `flush` after a writable edge, or when nothing else is
  /// going to be sent.
  public var hasUnsent: Bool { transport.hasUnsent }

  /// 0 when nothing waits, `-EAGAIN`, or the error that the connection was lost by.
  public func flush() -> Int { transport.flush() }

  /// Says that nothing more will be sent (close_notify); receiving goes on. 0 when the kernel has it, `-EAGAIN`: call
  /// `flush` after a writable edge, else the connection is lost.
  public func shutdown() -> Int {
    transport.awaitsCompany = false
    if isHandshakeDone && failure == nil && SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN == 0 {
      ERR_clear_error()
      workspace.current = self
      transport.begin(mayAssumeDry: true)
      // 0: sent, and the peer's is not here yet.
      if SSL_shutdown(ssl) < 0 && !transport.isBlocked { return classify(-1) }
    }
    return transport.flush()
  }
}
