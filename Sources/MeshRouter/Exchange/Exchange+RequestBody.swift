import HTTP
import MeshBase

// How the request's bytes go on from the caller to the backend.
extension Exchange {
  /// Whether the backend's side can take request bytes now.
  var takesRequestBytes: Bool {
    switch machine.state {
    case .awaitingResponse, .relaying, .tunnelling: return hasBackend && !backendIsBlocked
    default: return false
    }
  }

  /// Sends the head if it still waits for body bytes to travel with.
  @inline(__always)
  func flushRequest() {
    guard headIsPending, let connection else { return }
    headIsPending = false
    client { $0.stats.sent(bytes: requestHead.count) }
    connection.write(requestHead.readable)
  }

  /// Passes on what there is of the request's body; the number of bytes used.
  func relayRequest(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard hasBackend else { return 0 }
    lastMoved = now
    if keptBodyMax == 0 { _ = machine.handle(.bodyConsumed) }
    switch requestBody {
    case .ended, .untilClose: return 0
    case .length(let left):
      let count = Int(min(left, UInt64(bytes.count)))
      let part = UnsafeRawBufferPointer(rebasing: bytes[..<count])
      requestBody = left == UInt64(count) ? .ended : .length(left - UInt64(count))
      if keptBodyMax > 0 { keep(part) }
      if traffic != nil { copyBody(part) }
      if requestBody.hasEnded { takeWholeRequest() }
      writeRequest(part)
      if requestIsComplete { backendStream { $0.end() } }
      return count
    case .chunked(var decoder):
      requestBody = .ended
      let out = worker.requestScratch
      out.removeAll()
      var offset = 0
      while true {
        let step = decoder.next(bytes, from: offset)
        offset = step.consumedTo
        switch step.event {
        case .data(let range):
          let part = UnsafeRawBufferPointer(rebasing: bytes[range])
          if keptBodyMax > 0 { keep(part) }
          if traffic != nil { copyBody(part) }
          if backendStream == nil { out.appendChunk(part) } else { out.append(part) }
          continue
        case .needMore:
          requestBody = .chunked(decoder)
        case .end:
          takeWholeRequest()
          keepEnd(trailers: decoder.trailers != nil)
          if backendStream != nil {
            writeRequest(out.readable)
            backendStream { $0.end(trailers: decoder.trailers?.readable) }
            return offset
          }
          out.appendLastChunk(trailers: decoder.trailers?.readable)
        case .failed(let error):
          // Nothing of what came with the fault is passed on; the backend sees a cut-off request.
          fail(error.reason, status: error.status, detail: "\(error)")
          return bytes.count
        }
        break
      }
      writeRequest(out.readable)
      return offset
    }
  }

  func writeRequest(_ part: UnsafeRawBufferPointer) {
    if backendStream != nil { return backendStream { $0.send(part) } }
    guard let connection else { return }
    if headIsPending {
      headIsPending = false
      client { $0.stats.sent(bytes: requestHead.count + part.count) }
      connection.write(requestHead.readable, part)
    } else {
      client { $0.stats.sent(bytes: part.count) }
      connection.write(part)
    }
  }

  func requestOutputDrained() {
    lastMoved = now
    if callerFinished { return endTunnelIfDone() }
    resumeCaller()
  }
}
