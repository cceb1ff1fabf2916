import HTTP
import MeshBase
import Net

// Once a 101, or the answer to a CONNECT, is out, bytes go both ways as they come. Over HTTP/2 the two are one: an
// extended CONNECT (RFC 8441) is to a stream what Upgrade is to a connection.
extension Exchange {
  /// For a backend of HTTP/1: the caller's key, or one of our own where the caller's stream has none.
  func appendWebSocketKey() {
    if webSocketKey.isEmpty {
      guard stream != nil, upgradeProtocol == Array("websocket".utf8) else { return }
      webSocketKey = WebSocketHandshake.key(using: &worker.random)
    }
    requestHead.append("Sec-WebSocket-Key: ")
    webSocketKey.withUnsafeBytes { requestHead.append($0) }
    requestHead.append("\r\n")
  }

  /// A 101 from the backend; false if it was not asked for, and the exchange has ended over it.
  func switchingProtocols(_ head: UnsafeRawBufferPointer) -> Bool {
    guard upgradeWanted, requestIsComplete, let protocols = worker.responseHead.value(of: .upgrade) else {
      failureDetail = "101 Switching Protocols was not asked for, or names no protocol."
      perform(machine.handle(.failed(.relayBadResponse)))
      return false
    }
    openTunnel(head, upgradeTo: head[protocols])
    stream { $0.resumeInput() }
    return true
  }

  /// A 2xx to an extended CONNECT.
  func extendedConnectAccepted(_ head: UnsafeRawBufferPointer) {
    backendStream { $0.tunnelOpened() }
    upgradeProtocol.withUnsafeBytes { openTunnel(head, upgradeTo: $0) }
    flushResponse()
    stream { $0.resumeInput() }
  }

  private func openTunnel(_ head: UnsafeRawBufferPointer, upgradeTo protocols: UnsafeRawBufferPointer) {
    let out = responseOut
    let start = out.count
    var skip: KnownHeaderSet = .l5d
    // They prove that both ends of a connection agree; a stream has its own way (RFC 8441 §5).
    if stream != nil { skip = skip.union([.secWebSocketAccept, .contentLength]) }
    if stream != nil {
      out.append("HTTP/1.1 200 OK\r\n")
    } else {
      out.append("HTTP/1.1 101 Switching Protocols\r\n")
    }
    worker.responseHead.appendForwardable(head, skipping: skip, to: out)
    if stream == nil {
      out.append("Connection: upgrade\r\nUpgrade: ")
      out.append(protocols)
      out.append("\r\n")
      if backendStream != nil, !webSocketKey.isEmpty {
        out.append("Sec-WebSocket-Accept: ")
        WebSocketHandshake.accept(key: webSocketKey).withUnsafeBytes { out.append($0) }
        out.append("\r\n")
      }
    }
    out.append("Via: ")
    out.append(backendStream == nil ? "1.1" : "2" as StaticString)
    out.append(" meshrouter\r\n")
    if traffic != nil { editResponse(out, from: start) }
    out.append("\r\n")
    status = stream == nil ? 101 : 200
    enterTunnel(out)
  }

  /// CONNECT: the backend hears nothing of it but the bytes.
  func openConnectTunnel(_ connection: ClientConnection) {
    let out = worker.scratch
    out.append("HTTP/1.1 200 OK\r\nVia: 1.1 meshrouter\r\n\r\n")
    status = 200
    connection.enterTunnel()
    enterTunnel(out)
    flushResponse()
    stream { $0.resumeInput() }
  }

  /// The head of the answer is in `out`.
  private func enterTunnel(_ out: ByteBuffer) {
    _ = machine.handle(.tunnelOpened)
    isTunnel = true
    disarm(&attemptTimer)
    disarm(&totalTimer)
    if deadline != nil { forgetDeadline() }
    responseKeepsAlive = false
    if stream != nil {
      responseEncoding = .frames
      stream { $0.respond(out.readable, end: false) }
      out.removeAll()
      stream { $0.tunnelOpened() }
    } else if let server {
      responseEncoding = .raw
      server.tunnelOpened()
      worker.loop.deferToEndOfTurn(server)  // bytes of the new protocol may be at hand already
    }
  }

  func tunnelFromCaller(_ bytes: UnsafeRawBufferPointer) {
    lastMoved = now
    if backendStream != nil { return backendStream { $0.send(bytes) } }
    client { $0.stats.sent(bytes: bytes.count) }
    connection?.write(bytes)
  }

  func tunnelFromBackend(_ bytes: UnsafeRawBufferPointer) { responseBody(bytes) }

  /// One side has nothing more to say; the other is told, and may go on.
  func tunnelEndedByCaller() {
    callerFinished = true
    connection?.finishOutput()
    backendStream { $0.end() }
    endTunnelIfDone()
  }

  func tunnelEndedByBackend() {
    backendFinished = true
    server?.finishOutput()
    stream { $0.end() }
    endTunnelIfDone()
  }

  /// Both sides have nothing more to say, and each has been handed all that the other said.
  func endTunnelIfDone() {
    guard callerFinished, backendFinished, hasCaller, hasBackend else { return }
    if !callerIsBlocked && !backendIsBlocked { perform(machine.handle(.completed)) }
  }
}
