/// A field name of at most 24 bytes as three words in lower case, zero past its end.
struct NameWords {
  var first: UInt64
  var second: UInt64
  var third: UInt64

  /// Compares only the words that the literal reaches: the caller has already matched the length.
  @inline(__always)
  func equal(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    var difference = first ^ Word.literal(text)
    if count > 8 { difference |= second ^ Word.literal(text, at: 8) }
    if count > 16 { difference |= third ^ Word.literal(text, at: 16) }
    return difference == 0
  }

  @inline(__always)
  var startsWithL5d: Bool { first & 0xffff_ffff == Word.literal("l5d-") }
}

extension KnownHeader {
  /// The name whose lower-case form is `words`; a match also proves that the name is a token.
  @inline(__always)
  static func recognise(length: Int, _ words: NameWords) -> KnownHeader {
    switch length {
    case 2:
      if words.equal("te") { return .te }
    case 3:
      if words.equal("via") { return .via }
    case 4:
      if words.equal("host") { return .host }
      if words.equal("date") { return .date }
    case 6:
      if words.equal("server") { return .server }
      if words.equal("accept") { return .accept }
      if words.equal("cookie") { return .cookie }
      if words.equal("expect") { return .expect }
      if words.equal("origin") { return .origin }
    case 7:
      if words.equal("upgrade") { return .upgrade }
      if words.equal("trailer") { return .trailer }
      if words.equal("referer") { return .referer }
      if words.equal("refresh") { return .refresh }
      if words.equal("l5d-err") { return .l5dErr }
    case 8:
      if words.equal("location") { return .location }
      if words.equal("l5d-dtab") { return .l5dDtab }
      if words.equal("l5d-name") { return .l5dName }
    case 9:
      if words.equal("forwarded") { return .forwarded }
      if words.equal("l5d-reqid") { return .l5dReqid }
    case 10:
      if words.equal("connection") { return .connection }
      if words.equal("keep-alive") { return .keepAlive }
      if words.equal("user-agent") { return .userAgent }
      if words.equal("set-cookie") { return .setCookie }
      if words.equal("l5d-sample") { return .l5dSample }
    case 11:
      if words.equal("retry-after") { return .retryAfter }
      if words.equal("traceparent") { return .traceparent }
    case 12:
      if words.equal("content-type") { return .contentType }
      if words.equal("l5d-ctx-dtab") { return .l5dCtxDtab }
      if words.equal("x-request-id") { return .xRequestID }
      if words.equal("max-forwards") { return .maxForwards }
    case 13:
      if words.equal("authorization") { return .authorization }
      if words.equal("cache-control") { return .cacheControl }
      if words.equal("l5d-ctx-trace") { return .l5dCtxTrace }
      if words.equal("l5d-retryable") { return .l5dRetryable }
    case 14:
      if words.equal("content-length") { return .contentLength }
      if words.equal("l5d-dst-client") { return .l5dDstClient }
      if words.equal("http2-settings") { return .http2Settings }
    case 15:
      if words.equal("accept-encoding") { return .acceptEncoding }
      if words.equal("x-forwarded-for") { return .xForwardedFor }
      if words.equal("l5d-dst-service") { return .l5dDstService }
      if words.equal("l5d-add-context") { return .l5dAddContext }
    case 16:
      if words.equal("proxy-connection") { return .proxyConnection }
      if words.equal("content-encoding") { return .contentEncoding }
      if words.equal("x-forwarded-host") { return .xForwardedHost }
      if words.equal("l5d-ctx-deadline") { return .l5dCtxDeadline }
      if words.equal("l5d-dst-residual") { return .l5dDstResidual }
    case 17:
      if words.equal("transfer-encoding") { return .transferEncoding }
      if words.equal("x-forwarded-proto") { return .xForwardedProto }
      if words.equal("l5d-success-class") { return .l5dSuccessClass }
    case 18:
      if words.equal("proxy-authenticate") { return .proxyAuthenticate }
    case 19:
      if words.equal("proxy-authorization") { return .proxyAuthorization }
    case 23:
      if words.equal("x-forwarded-client-cert") { return .xForwardedClientCert }
    default: break
    }
    return words.startsWithL5d ? .l5dOther : .other
  }
}
