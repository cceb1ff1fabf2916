/// The field names this router acts on or reports; recognised in any letter case.
///
/// At most 64, so that a set of them is one word.
public enum KnownHeader: UInt8, CaseIterable, Sendable {
  /// A name that is not in this list.
  case other = 0
  // Framing, routing and connection management.
  case host, connection, contentLength, transferEncoding, te, trailer, upgrade, keepAlive, proxyConnection
  case proxyAuthenticate, proxyAuthorization, expect, via, maxForwards, http2Settings
  // Passed on, looked at by identifiers, logs or rewriting.
  case date, server, location, refresh, retryAfter, contentType, contentEncoding, cookie, setCookie, authorization
  case userAgent, accept, acceptEncoding, cacheControl, referer, origin, forwarded, xForwardedFor, xForwardedHost
  case xForwardedProto, xForwardedClientCert, xRequestID, traceparent, secWebSocketKey, secWebSocketAccept
  // gRPC.
  case grpcTimeout, grpcStatus, grpcMessage
  // linkerd's context.
  case l5dDtab, l5dCtxDtab, l5dCtxDeadline, l5dCtxTrace, l5dReqid, l5dSample, l5dDstService, l5dDstClient
  case l5dDstResidual, l5dErr, l5dRetryable, l5dSuccessClass, l5dName, l5dAddContext
  /// Any other name that starts with `l5d-`.
  case l5dOther

  /// The name as we write it; empty for `other` and `l5dOther`.
  public var name: StaticString {
    switch self {
    case .other, .l5dOther: ""
    case .host: "Host"
    case .connection: "Connection"
    case .contentLength: "Content-Length"
    case .transferEncoding: "Transfer-Encoding"
    case .te: "TE"
    case .trailer: "Trailer"
    case .upgrade: "Upgrade"
    case .keepAlive: "Keep-Alive"
    case .proxyConnection: "Proxy-Connection"
    case .proxyAuthenticate: "Proxy-Authenticate"
    case .proxyAuthorization: "Proxy-Authorization"
    case .expect: "Expect"
    case .via: "Via"
    case .maxForwards: "Max-Forwards"
    case .http2Settings: "HTTP2-Settings"
    case .date: "Date"
    case .server: "Server"
    case .location: "Location"
    case .refresh: "Refresh"
    case .retryAfter: "Retry-After"
    case .contentType: "Content-Type"
    case .contentEncoding: "Content-Encoding"
    case .cookie: "Cookie"
    case .setCookie: "Set-Cookie"
    case .authorization: "Authorization"
    case .userAgent: "User-Agent"
    case .accept: "Accept"
    case .acceptEncoding: "Accept-Encoding"
    case .cacheControl: "Cache-Control"
    case .referer: "Referer"
    case .origin: "Origin"
    case .forwarded: "Forwarded"
    case .xForwardedFor: "X-Forwarded-For"
    case .xForwardedHost: "X-Forwarded-Host"
    case .xForwardedProto: "X-Forwarded-Proto"
    case .xForwardedClientCert: "X-Forwarded-Client-Cert"
    case .xRequestID: "X-Request-Id"
    case .traceparent: "traceparent"
    case .secWebSocketKey: "Sec-WebSocket-Key"
    case .secWebSocketAccept: "Sec-WebSocket-Accept"
    case .grpcTimeout: "grpc-timeout"
    case .grpcStatus: "grpc-status"
    case .grpcMessage: "grpc-message"
    case .l5dDtab: "l5d-dtab"
    case .l5dCtxDtab: "l5d-ctx-dtab"
    case .l5dCtxDeadline: "l5d-ctx-deadline"
    case .l5dCtxTrace: "l5d-ctx-trace"
    case .l5dReqid: "l5d-reqid"
    case .l5dSample: "l5d-sample"
    case .l5dDstService: "l5d-dst-service"
    case .l5dDstClient: "l5d-dst-client"
    case .l5dDstResidual: "l5d-dst-residual"
    case .l5dErr: "l5d-err"
    case .l5dRetryable: "l5d-retryable"
    case .l5dSuccessClass: "l5d-success-class"
    case .l5dName: "l5d-name"
    case .l5dAddContext: "l5d-add-context"
    }
  }
}
