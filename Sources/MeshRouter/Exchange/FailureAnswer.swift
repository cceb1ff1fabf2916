import HTTP
import MeshBase

/// The answer that the router makes by itself when a request cannot be served: what went wrong, where, and what an
/// operator does next.
struct FailureAnswer {
  var reason: Reason
  var status: Int
  var router: String
  var host: String
  /// Logical name, once identified.
  var name: String?
  /// Bound id, once picked.
  var client: String?
  var tried: [SocketAddress] = []
  var detail: String?
  /// What a call of gRPC ends with; `nil`: what the reason stands for.
  var callStatus: GRPCStatus?
  /// Nanoseconds after which the caller may come again; where that is not known, a second.
  var retryAfter: UInt64?

  /// Body bytes are cut beyond this.
  static let bodyBytesMax = 8_192
  /// Characters of `grpc-message`: callers bound the whole head, often at 8 KiB, and each may take 12 bytes.
  private static let callMessageMax = 512

  /// Writes a whole response; the number of bytes of its head. `retryable`: the request surely was not processed.
  @discardableResult
  func write(to out: ByteBuffer, worker: Worker, keepAlive: Bool, isHead: Bool, retryable: Bool) -> Int {
    let start = out.count
    let body = Array(text.utf8.prefix(Self.bodyBytesMax))
    out.appendStatusLine(status)
    worker.appendDate(to: out)
    out.append("l5d-err: ")
    out.append(errorField)
    out.append("\r\n")
    if retryable { out.append("l5d-retryable: true\r\n") }
    if reason == .faultInjected { out.append("l5d-fault-injected: abort\r\n") }
    if status == 503 || status == 429 {
      out.append("Retry-After: ")
      out.append(
        decimal: max(
          1, Int(clamping: (retryAfter ?? 0) / 1_000_000_000 + ((retryAfter ?? 0) % 1_000_000_000 > 0 ? 1 : 0))))
      out.append("\r\n")
    }
    if status == 405 { out.append("Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, TRACE, PATCH\r\n") }
    out.append("Content-Type: text/plain; charset=utf-8\r\nContent-Length: ")
    out.append(decimal: body.count)
    out.append("\r\nVia: 1.1 meshrouter\r\n")
    if !keepAlive { out.append("Connection: close\r\n") }
    out.append("\r\n")
    let headBytes = out.count - start
    if !isHead { body.withUnsafeBytes { out.append($0) } }
    return headBytes
  }

  /// Writes the head of a response that is nothing but gRPC's trailers: status 200, and what went wrong in
  /// `grpc-status` and `grpc-message`. Source: grpc/doc/PROTOCOL-HTTP2.md, "Trailers-Only".
  func writeCallEnd(to out: ByteBuffer, worker: Worker, retryable: Bool) {
    out.appendStatusLine(200)
    worker.appendDate(to: out)
    out.append("Content-Type: application/grpc\r\ngrpc-status: ")
    out.append(decimal: Int((callStatus ?? GRPCStatus(reason)).rawValue))
    out.append("\r\ngrpc-message: ")
    var message = "\(name ?? "request"): \(reason.meaning) (\(reason.rawValue))"
    if !tried.isEmpty { message += "; tried " + tried.map(\.description).joined(separator: ", ") }
    if let detail, !detail.isEmpty { message += "; " + detail }
    GRPC.append(message: String(message.prefix(Self.callMessageMax)), to: out)
    out.append("\r\nl5d-err: ")
    out.append(errorField)
    out.append("\r\n")
    if retryable { out.append("l5d-retryable: true\r\n") }
    if reason == .faultInjected { out.append("l5d-fault-injected: abort\r\n") }
    if let retryAfter {
      // Source: grpc/proposal A6, "Server Pushback".
      out.append("grpc-retry-pushback-ms: ")
      out.append(decimal: Int(clamping: retryAfter / 1_000_000 + 1))
      out.append("\r\n")
    }
    out.append("Via: 1.1 meshrouter\r\n\r\n")
  }

  /// `bind.neg; name=/svc/nope; router=http; host=node-17`. Names are in printed form, so every byte is visible ASCII.
  private var errorField: String {
    var text = reason.rawValue
    if let name { text += "; name=\(name)" }
    if let client { text += "; client=\(client)" }
    return text + "; router=\(router); host=\(host)"
  }

  private var text: String {
    var lines = ["\(name ?? "request"): \(reason.meaning) (\(reason.rawValue))"]
    lines.append("router \(router) on \(host)")
    if let client { lines.append("bound to \(client)") }
    if !tried.isEmpty { lines.append("tried " + tried.map(\.description).joined(separator: ", ")) }
    if let detail, !detail.isEmpty { lines.append(detail) }
    if let name, name.hasPrefix("/"), reason.stage == .bind || reason.stage == .pick || reason.stage == .connect {
      lines.append("next:  meshrouter dtab lookup '\(name)'")
    }
    lines.append("more:  meshrouter errors \(reason.rawValue)")
    return lines.joined(separator: "\n") + "\n"
  }
}

extension Reason {
  /// The stage in which it goes wrong; `nil` for `server.` and `loop.`, which concern the process as a whole.
  var stage: Stage? { Stage(rawValue: String(rawValue.prefix { $0 != "." })) }
}

extension UnsafeRawBufferPointer {
  /// Of a request that could not be read: whether it begins as one by HEAD does, so that its answer has no body.
  var isHeadRequest: Bool {
    let start = firstIndex { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") } ?? count
    return self[start...].starts(with: "HEAD ".utf8)
  }
}
