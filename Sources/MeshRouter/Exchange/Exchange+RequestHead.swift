import Config
import HTTP
import MeshBase
import Net

extension Exchange {
  /// Writes the head as it goes to the backend, up to where the branch's own lines follow.
  ///
  /// Fields go on byte for byte in the longest runs possible; only what RFC 9110 §7.6 and the router's context headers
  /// ask for is taken out or added.
  func writeHead(
    _ head: UnsafeRawBufferPointer, consumedPath: Int, configuration: Configuration.Server, connection: ServerConnection
  ) {
    let out = requestHead
    out.removeAll()
    var skip: KnownHeaderSet = [
      .l5dDtab, .l5dCtxDtab, .l5dCtxTrace, .l5dReqid, .l5dSample, .l5dDstService, .l5dDstClient, .l5dDstResidual,
      .xForwardedClientCert,
    ]
    if configuration.clearContext { skip = skip.union(.l5d) }

    let isOrigin = worker.requestHead.targetForm == .origin
    if isOrigin && consumedPath == 0 {
      let start = worker.requestHead.methodRange.start
      out.append(UnsafeRawBufferPointer(rebasing: head[start..<worker.requestHead.target.end]))
    } else {
      out.append(head[worker.requestHead.methodRange])
      out.append(" ")
      if consumedPath > 0 {
        appendConsumedTarget(head, consumed: consumedPath, to: out)
      } else {
        worker.requestHead.appendOriginForm(head, to: out)
      }
    }
    out.append(" HTTP/1.1\r\n")
    if worker.requestHead.index(of: .host) == nil || !isOrigin {
      // RFC 9112 §3.2.2: the target's authority replaces Host; HTTP/1.1 needs the field even if it is empty.
      skip.insert(.host)
      out.append("Host: ")
      if let host = worker.requestHead.host { out.append(head[host]) }
      out.append("\r\n")
    }
    if method == .trace || method == .options, let hops = worker.requestHead.maxForwards(head), hops > 0 {
      skip.insert(.maxForwards)
      out.append("Max-Forwards: ")
      out.append(decimal: hops - 1)
      out.append("\r\n")
    }
    if let name = configuration.timestampHeader {
      out.append(name)
      out.append(": ")
      out.append(decimal: Clock.wallNanoseconds / 1_000_000)
      out.append("\r\n")
    }
    worker.requestHead.appendForwardable(head, skipping: skip, to: out)
    if worker.requestHead.framing == .chunked { out.append("Transfer-Encoding: chunked\r\n") }
    if worker.requestHead.block.hasHopByHop { appendConnectionFields(head, to: out) }
    if let forwarded = configuration.addForwardedHeader {
      appendForwarded(forwarded, head, connection, to: out)
    }
    out.append(worker.requestHead.minorVersion == 1 ? "Via: 1.1 meshrouter\r\n" : "Via: 1.0 meshrouter\r\n")
    traceContext(head, isClearing: configuration.clearContext).appendLines(to: out)
    commonLength = out.count
  }

  /// The path without the segments that named the request; the query and a trailing slash stay.
  private func appendConsumedTarget(_ head: UnsafeRawBufferPointer, consumed: Int, to out: ByteBuffer) {
    let target = head[worker.requestHead.pathAndQuery]
    let rest = UnsafeRawBufferPointer(rebasing: target[min(consumed, target.count)...])
    if rest.first != UInt8(ascii: "/") { out.append("/") }
    out.append(rest)
  }

  /// What the next hop must hear of the hop-by-hop fields: the wish to upgrade, and that trailers are welcome.
  private func appendConnectionFields(_ head: UnsafeRawBufferPointer, to out: ByteBuffer) {
    if worker.requestHead.wantsUpgrade, let protocols = worker.requestHead.upgradeRange,
      !isHTTP2Upgrade(head[protocols])
    {
      upgradeWanted = true
      out.append("Connection: upgrade\r\nUpgrade: ")
      out.append(head[protocols])
      out.append("\r\n")
    } else if worker.requestHead.acceptsTrailers {
      out.append("Connection: TE\r\nTE: trailers\r\n")
    }
  }

  /// `h2c` is between the caller and us; a backend behind a pool must not switch to it.
  private func isHTTP2Upgrade(_ value: UnsafeRawBufferPointer) -> Bool {
    value.count >= 3 && value[0] | 0x20 == UInt8(ascii: "h") && value[1] == UInt8(ascii: "2")
      && value[2] | 0x20 == UInt8(ascii: "c")
  }

  private func traceContext(_ head: UnsafeRawBufferPointer, isClearing: Bool) -> TraceContext {
    if !isClearing, let value = worker.requestHead.value(of: .l5dCtxTrace), let caller = TraceContext(head[value]) {
      return caller.child(span: worker.random.next())
    }
    return TraceContext(root: worker.random.next())
  }

  /// RFC 7239 §4, appended to what earlier proxies wrote.
  private func appendForwarded(
    _ forwarded: Configuration.Server.ForwardedHeader, _ head: UnsafeRawBufferPointer, _ connection: ServerConnection,
    to out: ByteBuffer
  ) {
    out.append("Forwarded: by=")
    out.append(forwardedLabel(forwarded.by, address: connection.server.address, connection))
    out.append(";for=")
    out.append(forwardedLabel(forwarded.for, address: connection.peer, connection))
    if let host = worker.requestHead.host, host.count > 0 {
      out.append(";host=\"")
      out.append(head[host])
      out.append("\"")
    }
    if worker.requestHead.targetForm == .absolute { out.append(";proto=http") }
    out.append("\r\n")
  }

  private func forwardedLabel(
    _ labeler: Configuration.Server.Labeler, address: SocketAddress?, _ connection: ServerConnection
  ) -> String {
    switch labeler {
    case .ip:
      guard let address else { return "unknown" }
      return address.isIPv4 ? address.ip : "\"[\(address.ip)]\""
    case .ipAndPort: return address.map { "\"\($0)\"" } ?? "unknown"
    case .connectionRandom: return "_" + connection.randomLabel
    case .requestRandom: return "_" + String(worker.random.next(), radix: 36)
    case .router: return "_" + connection.server.router.label
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
}
