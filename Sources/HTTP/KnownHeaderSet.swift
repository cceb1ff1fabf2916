/// A set of known names, one bit each.
public struct KnownHeaderSet: OptionSet, Sendable {
  public var rawValue: UInt64

  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  @inlinable public init(_ header: KnownHeader) { rawValue = 1 &<< UInt64(header.rawValue) }

  @inlinable
  public func contains(_ header: KnownHeader) -> Bool { rawValue & (1 &<< UInt64(header.rawValue)) != 0 }

  @inlinable public mutating func insert(_ header: KnownHeader) { rawValue |= 1 &<< UInt64(header.rawValue) }

  /// Names that concern one connection and are never passed on, in either direction (RFC 9110 §7.6.1), with linkerd's
  /// `Proxy-Authenticate` and `Proxy-Authorization`.
  ///
  /// What a forwarder still needs of them (`TE: trailers`, `Upgrade`) it writes anew.
  @inlinable public static var hopByHop: KnownHeaderSet {
    [
      .connection, .keepAlive, .proxyConnection, .te, .trailer, .transferEncoding, .upgrade, .http2Settings,
      .proxyAuthenticate, .proxyAuthorization,
    ]
  }

  /// Names that a Connection option cannot take away: they frame or route the message or stop loops, so they are
  /// "intended for all recipients" and RFC 9110 §7.6.1 forbids to nominate them. Such an option is ignored.
  @inlinable public static var notNominable: KnownHeaderSet {
    [.host, .contentLength, .via, .maxForwards]
  }

  /// Every name that starts with `l5d-`.
  @inlinable public static var l5d: KnownHeaderSet {
    [
      .l5dDtab, .l5dCtxDtab, .l5dCtxDeadline, .l5dCtxTrace, .l5dReqid, .l5dSample, .l5dDstService, .l5dDstClient,
      .l5dDstResidual, .l5dErr, .l5dRetryable, .l5dSuccessClass, .l5dName, .l5dAddContext, .l5dOther,
    ]
  }
}

extension KnownHeaderSet {
  @inlinable public static var other: KnownHeaderSet { KnownHeaderSet(.other) }
  @inlinable public static var host: KnownHeaderSet { KnownHeaderSet(.host) }
  @inlinable public static var connection: KnownHeaderSet { KnownHeaderSet(.connection) }
  @inlinable public static var contentLength: KnownHeaderSet { KnownHeaderSet(.contentLength) }
  @inlinable public static var transferEncoding: KnownHeaderSet { KnownHeaderSet(.transferEncoding) }
  @inlinable public static var te: KnownHeaderSet { KnownHeaderSet(.te) }
  @inlinable public static var trailer: KnownHeaderSet { KnownHeaderSet(.trailer) }
  @inlinable public static var upgrade: KnownHeaderSet { KnownHeaderSet(.upgrade) }
  @inlinable public static var keepAlive: KnownHeaderSet { KnownHeaderSet(.keepAlive) }
  @inlinable public static var proxyConnection: KnownHeaderSet { KnownHeaderSet(.proxyConnection) }
  @inlinable public static var proxyAuthenticate: KnownHeaderSet { KnownHeaderSet(.proxyAuthenticate) }
  @inlinable public static var proxyAuthorization: KnownHeaderSet { KnownHeaderSet(.proxyAuthorization) }
  @inlinable public static var expect: KnownHeaderSet { KnownHeaderSet(.expect) }
  @inlinable public static var via: KnownHeaderSet { KnownHeaderSet(.via) }
  @inlinable public static var maxForwards: KnownHeaderSet { KnownHeaderSet(.maxForwards) }
  @inlinable public static var http2Settings: KnownHeaderSet { KnownHeaderSet(.http2Settings) }
  @inlinable public static var date: KnownHeaderSet { KnownHeaderSet(.date) }
  @inlinable public static var server: KnownHeaderSet { KnownHeaderSet(.server) }
  @inlinable public static var location: KnownHeaderSet { KnownHeaderSet(.location) }
  @inlinable public static var refresh: KnownHeaderSet { KnownHeaderSet(.refresh) }
  @inlinable public static var retryAfter: KnownHeaderSet { KnownHeaderSet(.retryAfter) }
  @inlinable public static var contentType: KnownHeaderSet { KnownHeaderSet(.contentType) }
  @inlinable public static var contentEncoding: KnownHeaderSet { KnownHeaderSet(.contentEncoding) }
  @inlinable public static var cookie: KnownHeaderSet { KnownHeaderSet(.cookie) }
  @inlinable public static var setCookie: KnownHeaderSet { KnownHeaderSet(.setCookie) }
  @inlinable public static var authorization: KnownHeaderSet { KnownHeaderSet(.authorization) }
  @inlinable public static var userAgent: KnownHeaderSet { KnownHeaderSet(.userAgent) }
  @inlinable public static var accept: KnownHeaderSet { KnownHeaderSet(.accept) }
  @inlinable public static var acceptEncoding: KnownHeaderSet { KnownHeaderSet(.acceptEncoding) }
  @inlinable public static var cacheControl: KnownHeaderSet { KnownHeaderSet(.cacheControl) }
  @inlinable public static var referer: KnownHeaderSet { KnownHeaderSet(.referer) }
  @inlinable public static var origin: KnownHeaderSet { KnownHeaderSet(.origin) }
  @inlinable public static var forwarded: KnownHeaderSet { KnownHeaderSet(.forwarded) }
  @inlinable public static var xForwardedFor: KnownHeaderSet { KnownHeaderSet(.xForwardedFor) }
  @inlinable public static var xForwardedHost: KnownHeaderSet { KnownHeaderSet(.xForwardedHost) }
  @inlinable public static var xForwardedProto: KnownHeaderSet { KnownHeaderSet(.xForwardedProto) }
  @inlinable public static var xForwardedClientCert: KnownHeaderSet { KnownHeaderSet(.xForwardedClientCert) }
  @inlinable public static var xRequestID: KnownHeaderSet { KnownHeaderSet(.xRequestID) }
  @inlinable public static var traceparent: KnownHeaderSet { KnownHeaderSet(.traceparent) }
  @inlinable public static var secWebSocketKey: KnownHeaderSet { KnownHeaderSet(.secWebSocketKey) }
  @inlinable public static var secWebSocketAccept: KnownHeaderSet { KnownHeaderSet(.secWebSocketAccept) }
  @inlinable public static var grpcTimeout: KnownHeaderSet { KnownHeaderSet(.grpcTimeout) }
  @inlinable public static var grpcStatus: KnownHeaderSet { KnownHeaderSet(.grpcStatus) }
  @inlinable public static var grpcMessage: KnownHeaderSet { KnownHeaderSet(.grpcMessage) }
  @inlinable public static var l5dDtab: KnownHeaderSet { KnownHeaderSet(.l5dDtab) }
  @inlinable public static var l5dCtxDtab: KnownHeaderSet { KnownHeaderSet(.l5dCtxDtab) }
  @inlinable public static var l5dCtxDeadline: KnownHeaderSet { KnownHeaderSet(.l5dCtxDeadline) }
  @inlinable public static var l5dCtxTrace: KnownHeaderSet { KnownHeaderSet(.l5dCtxTrace) }
  @inlinable public static var l5dReqid: KnownHeaderSet { KnownHeaderSet(.l5dReqid) }
  @inlinable public static var l5dSample: KnownHeaderSet { KnownHeaderSet(.l5dSample) }
  @inlinable public static var l5dDstService: KnownHeaderSet { KnownHeaderSet(.l5dDstService) }
  @inlinable public static var l5dDstClient: KnownHeaderSet { KnownHeaderSet(.l5dDstClient) }
  @inlinable public static var l5dDstResidual: KnownHeaderSet { KnownHeaderSet(.l5dDstResidual) }
  @inlinable public static var l5dErr: KnownHeaderSet { KnownHeaderSet(.l5dErr) }
  @inlinable public static var l5dRetryable: KnownHeaderSet { KnownHeaderSet(.l5dRetryable) }
  @inlinable public static var l5dSuccessClass: KnownHeaderSet { KnownHeaderSet(.l5dSuccessClass) }
  @inlinable public static var l5dName: KnownHeaderSet { KnownHeaderSet(.l5dName) }
  @inlinable public static var l5dAddContext: KnownHeaderSet { KnownHeaderSet(.l5dAddContext) }
  @inlinable public static var l5dOther: KnownHeaderSet { KnownHeaderSet(.l5dOther) }
}
