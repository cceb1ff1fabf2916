import Config
import HTTP
import MeshBase
import Net

extension Exchange {
  /// Writes the head as it goes to the backend, up to where the branch's own lines follow.
  ///
  /// Fields go on byte for byte in the longest runs possible; only what RFC 9110 §7.6 and the router's context headers
  /// ask for is taken out or added.
  ///
  /// `request` is the worker's parsed head, lent in place: a copy of it costs more than all the rest.
  func writeHead(
    _ request: inout RequestHead, _ head: UnsafeRawBufferPointer, consumedPath: Int, settings: ServerRuntime
  ) {
    let out = requestHead
    out.removeAll()
    var skip: KnownHeaderSet = [
      .l5dDtab, .l5dCtxDtab, .l5dCtxTrace, .l5dReqid, .l5dSample, .l5dDstService, .l5dDstClient, .l5dDstResidual,
      .xForwardedClientCert,
    ]
    if settings.clearContext { skip = skip.union(.l5d) }
    if deadlineIsOfCall { skip.insert(.grpcTimeout) }  // `send` writes what is left
    if request.wantsUpgrade { skip.insert(.secWebSocketKey) }  // `send` writes it, where the backend asks for one

    callerSpokeHTTP1 = stream == nil
    namesOriginal = false
    if !settings.clearContext, request.block.present.contains(.l5dOther) { readOriginal(&request, head) }

    let isOrigin = request.targetForm == .origin
    if isOrigin && consumedPath == 0 {
      let start = request.methodRange.start
      out.append(UnsafeRawBufferPointer(rebasing: head[start..<request.target.end]))
    } else {
      out.append(head[request.methodRange])
      out.append(" ")
      if consumedPath > 0 {
        appendConsumedTarget(request, head, consumed: consumedPath, to: out)
      } else {
        request.appendOriginForm(head, to: out)
      }
    }
    out.append(" HTTP/1.1\r\n")
    if request.index(of: .host) == nil || !isOrigin {
      // RFC 9112 §3.2.2: the target's authority replaces Host; HTTP/1.1 needs the field even if it is empty.
      skip.insert(.host)
      out.append("Host: ")
      if let host = request.host { out.append(head[host]) }
      out.append("\r\n")
    }
    if method == .trace || method == .options, let hops = request.maxForwards(head), hops > 0 {
      skip.insert(.maxForwards)
      out.append("Max-Forwards: ")
      out.append(decimal: hops - 1)
      out.append("\r\n")
    }
    if let prefix = settings.timestampPrefix {
      prefix.withUnsafeBytes { out.append($0) }
      out.append(decimal: Clock.wallNanoseconds / 1_000_000)
      out.append("\r\n")
    }
    request.appendForwardable(head, skipping: skip, to: out)
    if request.framing == .chunked { out.append("Transfer-Encoding: chunked\r\n") }
    if request.block.hasHopByHop { appendConnectionFields(request, head, to: out) }
    if let forwarded = settings.forwarded {
      appendForwarded(forwarded, settings.address, request, head, to: out)
    }
    if stream == nil {
      out.append("Via: 1.")
      out.append(UInt8(ascii: "0") + request.minorVersion)
      out.append(" meshrouter\r\n")
    } else {
      out.append("Via: 2 meshrouter\r\n")
    }
    if !settings.clearContext, let value = request.value(of: .l5dCtxTrace), let caller = TraceContext(head[value]) {
      caller.child(span: worker.random.next()).appendLines(to: out)
    } else {
      TraceContext(root: worker.random.next()).appendLines(to: out)
    }
    if deadline != nil { appendDeadline(request.block.present, to: out) }
    commonLength = out.count
  }

  /// For endpoints that are told the caller's certificate.
  func appendCallerCertificate() {
    let asked = primary { $0.caller } ?? caller
    guard let identity = asked?.identity else { return }
    identity.headerLine.withUnsafeBytes { requestHead.append($0) }
  }

  /// The path without the segments that named the request; the query and a trailing slash stay.
  private func appendConsumedTarget(
    _ request: borrowing RequestHead, _ head: UnsafeRawBufferPointer, consumed: Int, to out: ByteBuffer
  ) {
    let target = head[request.pathAndQuery]
    let rest = UnsafeRawBufferPointer(rebasing: target[min(consumed, target.count)...])
    if rest.first != UInt8(ascii: "/") { out.append("/") }
    out.append(rest)
  }

  /// What the next hop must hear of the hop-by-hop fields: the wish to upgrade, and that trailers are welcome.
  private func appendConnectionFields(
    _ request: borrowing RequestHead, _ head: UnsafeRawBufferPointer, to out: ByteBuffer
  ) {
    if request.wantsUpgrade, let protocols = request.upgradeRange,
      !isHTTP2Upgrade(head[protocols])
    {
      upgradeWanted = true
      upgradeProtocol = Array(head[protocols])
      if let key = request.value(of: .secWebSocketKey) { webSocketKey = Array(head[key]) }
      out.append("Connection: upgrade\r\nUpgrade: ")
      out.append(head[protocols])
      out.append("\r\n")
    } else if request.acceptsTrailers {
      out.append("Connection: TE\r\nTE: trailers\r\n")
    }
  }

  /// `h2c` is between the caller and us; a backend behind a pool must not switch to it.
  private func isHTTP2Upgrade(_ value: UnsafeRawBufferPointer) -> Bool {
    value.count >= 3 && value[0] | 0x20 == UInt8(ascii: "h") && value[1] == UInt8(ascii: "2")
      && value[2] | 0x20 == UInt8(ascii: "c")
  }

  /// RFC 7239 §4, appended to what earlier proxies wrote.
  private func appendForwarded(
    _ forwarded: Configuration.Server.ForwardedHeader, _ address: SocketAddress, _ request: borrowing RequestHead,
    _ head: UnsafeRawBufferPointer, to out: ByteBuffer
  ) {
    guard let caller else { return }
    out.append("Forwarded: by=")
    out.append(forwardedLabel(forwarded.by, address: address, caller))
    out.append(";for=")
    out.append(forwardedLabel(forwarded.for, address: caller.peer, caller))
    if let host = request.host, host.count > 0 {
      out.append(";host=\"")
      out.append(head[host])
      out.append("\"")
    }
    // How the caller reached the router (RFC 7239 §5.4), whatever its target says.
    if caller.tls != nil { out.append(";proto=https") } else { out.append(";proto=http") }
    out.append("\r\n")
  }

  private func forwardedLabel(
    _ labeler: Configuration.Server.Labeler, address: SocketAddress?, _ caller: CallerChannel
  ) -> String {
    switch labeler {
    case .ip:
      guard let address else { return "unknown" }
      return address.isIPv4 ? address.ip : "\"[\(address.ip)]\""
    case .ipAndPort: return address.map { "\"\($0)\"" } ?? "unknown"
    case .connectionRandom: return "_" + caller.randomLabel
    case .requestRandom: return "_" + String(worker.random.next(), radix: 36)
    case .router: return "_" + caller.server.router.label
    case .static(let label): return "_" + label
    }
  }

  /// RFC 9110 §7.6.2: with no hops left the proxy answers as if it were the last recipient.
  func answerMaxForwards(_ head: UnsafeRawBufferPointer) {
    var response: [UInt8] = []
    if method == .trace {
      // §9.3.8: what is sensitive is left out of the echo.
      let sensitive: KnownHeaderSet = [.authorization, .cookie, .proxyAuthorization]
      let echo = ByteBuffer()
      echo.append(UnsafeRawBufferPointer(rebasing: head[..<(worker.requestHead.fields.first?.line.start ?? 0)]))
      worker.requestHead.appendForwardable(head, skipping: sensitive, to: echo)
      echo.append("\r\n")
      response = Array(echo.readable)
    }
    answerLocally(
      fields: method == .trace
        ? "Content-Type: message/http\r\n" : "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH\r\n",
      body: response)
  }

  /// A request that the router answers by itself, as the protocol asks.
  func answerLocally(fields: String, body: [UInt8]) {
    let out = worker.scratch
    responseKeepsAlive = requestKeepsAlive && requestIsComplete && !callerMustClose
    status = 200
    out.append("HTTP/1.1 200 OK\r\n")
    worker.appendDate(to: out)
    out.append(fields)
    out.append("Content-Length: ")
    out.append(decimal: body.count)
    out.append("\r\nVia: 1.1 meshrouter\r\n")
    if !responseKeepsAlive { out.append("Connection: close\r\n") }
    out.append("\r\n")
    if stream != nil {
      stream { $0.respond(out.readable, end: body.isEmpty) }
      out.removeAll()
      body.withUnsafeBytes { bytes in stream { $0.send(bytes) } }
      stream { $0.end() }
    } else {
      body.withUnsafeBytes { out.append($0) }
    }
    flushResponse()
    perform(machine.handle(.completed))
  }
}
