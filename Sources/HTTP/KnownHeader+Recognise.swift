/// A field name of at most 23 bytes: three words, zero past its end, its length in the highest byte.
///
/// Without the length a name that ends in NUL would pass for one without.
struct NameWords {
  var first: UInt64
  var second: UInt64
  var third: UInt64

  @inline(__always)
  init(_ first: UInt64, _ second: UInt64, _ third: UInt64) {
    self.first = first
    self.second = second
    self.third = third
  }

  static let lengthMax = 23

  @inline(__always)
  static func tagged(_ third: UInt64, length: Int) -> UInt64 { third | UInt64(truncatingIfNeeded: length) &<< 56 }
}

/// A known name in lower case, with the bits that must be equal: all but the case of letters.
struct Spelling {
  let lower: NameWords
  let significant: NameWords

  @inline(__always)
  init(_ lower: NameWords, _ significant: NameWords) {
    self.lower = lower
    self.significant = significant
  }

  /// Whether `name` is this name in any letter case. `words` is how many of the three `name` reaches: where the lengths
  /// are equal, the others are zero on both sides.
  @inline(__always)
  func matches(_ name: NameWords, words: Int) -> Bool {
    var difference = (name.first ^ lower.first) & significant.first
    if words > 1 { difference |= (name.second ^ lower.second) & significant.second }
    difference |= words > 2 ? (name.third ^ lower.third) & significant.third : name.third ^ lower.third
    return difference == 0
  }
}

extension KnownHeader {
  /// The name spelt by `name` in any letter case; a match also proves that the name is a token.
  ///
  /// One multiplication gives the only candidate, three compares confirm it: no chain of branches to mispredict.
  @inline(__always)
  static func recognise(_ name: NameWords, words: Int) -> KnownHeader {
    let candidate = candidates[slot(name)]
    if _fastPath(spellings[Int(candidate.rawValue)].matches(name, words: words)) { return candidate }
    return startsWithL5d(name.first) ? .l5dOther : .other
  }

  /// Whether a name that has passed for a token starts with `l5d-`.
  @inline(__always)
  static func startsWithL5d(_ first: UInt64) -> Bool { first & 0xffff_ffff | 0x2020_2020 == Word.literal("l5d-") }

  /// A perfect hash of the names below, blind to letter case. After adding a name, choose another odd factor until
  /// `KnownHeaderTests` finds no two names in one slot, and print both tables anew.
  @inline(__always)
  static func slot(_ words: NameWords) -> Int {
    let blind = Word.all(0xdf)
    return Int(((words.first & blind ^ (words.second & blind) &<< 1) &* 0x0c26_1315_1332_956f) &>> 57)
  }

  /// The one name that may sit in each slot.
  static let candidates: InlineArray<128, KnownHeader> = [
    .other, .other, .l5dCtxTrace, .other, .xForwardedProto, .secWebSocketAccept, .contentType, .other, .l5dDstService,
    .l5dCtxDtab, .l5dDstClient, .other, .cookie, .other, .l5dErr, .origin, .l5dDtab, .xRequestID, .other,
    .l5dCtxDeadline, .grpcMessage, .other, .other, .other, .l5dSuccessClass, .other, .connection, .other, .other,
    .other, .trailer, .te, .proxyAuthorization, .proxyConnection, .host, .l5dReqid, .other, .other, .other, .keepAlive,
    .proxyAuthenticate, .accept, .other, .other, .other, .other, .location, .other, .other, .other, .other, .other,
    .other, .other, .l5dName, .other, .other, .other, .secWebSocketKey, .other, .other, .other, .forwarded, .other,
    .other, .l5dRetryable, .http2Settings, .other, .traceparent, .setCookie, .l5dSample, .other, .upgrade,
    .cacheControl, .other, .acceptEncoding, .contentLength, .other, .l5dDstResidual, .grpcTimeout, .expect, .other,
    .other, .other, .transferEncoding, .grpcStatus, .other, .other, .other, .referer, .other, .other, .refresh, .other,
    .other, .other, .other, .other, .server, .l5dAddContext, .via, .other, .other, .xForwardedHost, .other, .retryAfter,
    .other, .date, .contentEncoding, .other, .other, .other, .other, .other, .xForwardedFor, .other, .maxForwards,
    .authorization, .xForwardedClientCert, .other, .userAgent, .other, .other, .other, .other, .other, .other, .other,
  ]

  /// Lower-case spelling of each name in order of raw values; zero for those without one spelling. The significant bits
  /// leave out bit 5 of each letter: of what names are made of, letters alone have bit 6, and bit 5 is their case.
  static let spellings: InlineArray<59, Spelling> = [
    // other
    Spelling(
      NameWords(0x0000_0000_0000_0000, 0x0000_0000_0000_0000, 0x0000_0000_0000_0000),
      NameWords(0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // host
    Spelling(
      NameWords(0x0000_0000_7473_6f68, 0x0000_0000_0000_0000, 0x0400_0000_0000_0000),
      NameWords(0xffff_ffff_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // connection
    Spelling(
      NameWords(0x6974_6365_6e6e_6f63, 0x0000_0000_0000_6e6f, 0x0a00_0000_0000_0000),
      NameWords(0xdfdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_dfdf, 0xffff_ffff_ffff_ffff)),
    // content-length
    Spelling(
      NameWords(0x2d74_6e65_746e_6f63, 0x0000_6874_676e_656c, 0x0e00_0000_0000_0000),
      NameWords(0xffdf_dfdf_dfdf_dfdf, 0xffff_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // transfer-encoding
    Spelling(
      NameWords(0x7265_6673_6e61_7274, 0x6e69_646f_636e_652d, 0x1100_0000_0000_0067),
      NameWords(0xdfdf_dfdf_dfdf_dfdf, 0xdfdf_dfdf_dfdf_dfff, 0xffff_ffff_ffff_ffdf)),
    // te
    Spelling(
      NameWords(0x0000_0000_0000_6574, 0x0000_0000_0000_0000, 0x0200_0000_0000_0000),
      NameWords(0xffff_ffff_ffff_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // trailer
    Spelling(
      NameWords(0x0072_656c_6961_7274, 0x0000_0000_0000_0000, 0x0700_0000_0000_0000),
      NameWords(0xffdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // upgrade
    Spelling(
      NameWords(0x0065_6461_7267_7075, 0x0000_0000_0000_0000, 0x0700_0000_0000_0000),
      NameWords(0xffdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // keep-alive
    Spelling(
      NameWords(0x696c_612d_7065_656b, 0x0000_0000_0000_6576, 0x0a00_0000_0000_0000),
      NameWords(0xdfdf_dfff_dfdf_dfdf, 0xffff_ffff_ffff_dfdf, 0xffff_ffff_ffff_ffff)),
    // proxy-connection
    Spelling(
      NameWords(0x6f63_2d79_786f_7270, 0x6e6f_6974_6365_6e6e, 0x1000_0000_0000_0000),
      NameWords(0xdfdf_ffdf_dfdf_dfdf, 0xdfdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // proxy-authenticate
    Spelling(
      NameWords(0x7561_2d79_786f_7270, 0x6163_6974_6e65_6874, 0x1200_0000_0000_6574),
      NameWords(0xdfdf_ffdf_dfdf_dfdf, 0xdfdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_dfdf)),
    // proxy-authorization
    Spelling(
      NameWords(0x7561_2d79_786f_7270, 0x7461_7a69_726f_6874, 0x1300_0000_006e_6f69),
      NameWords(0xdfdf_ffdf_dfdf_dfdf, 0xdfdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffdf_dfdf)),
    // expect
    Spelling(
      NameWords(0x0000_7463_6570_7865, 0x0000_0000_0000_0000, 0x0600_0000_0000_0000),
      NameWords(0xffff_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // via
    Spelling(
      NameWords(0x0000_0000_0061_6976, 0x0000_0000_0000_0000, 0x0300_0000_0000_0000),
      NameWords(0xffff_ffff_ffdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // max-forwards
    Spelling(
      NameWords(0x7772_6f66_2d78_616d, 0x0000_0000_7364_7261, 0x0c00_0000_0000_0000),
      NameWords(0xdfdf_dfdf_ffdf_dfdf, 0xffff_ffff_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // http2-settings
    Spelling(
      NameWords(0x6573_2d32_7074_7468, 0x0000_7367_6e69_7474, 0x0e00_0000_0000_0000),
      NameWords(0xdfdf_ffff_dfdf_dfdf, 0xffff_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // date
    Spelling(
      NameWords(0x0000_0000_6574_6164, 0x0000_0000_0000_0000, 0x0400_0000_0000_0000),
      NameWords(0xffff_ffff_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // server
    Spelling(
      NameWords(0x0000_7265_7672_6573, 0x0000_0000_0000_0000, 0x0600_0000_0000_0000),
      NameWords(0xffff_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // location
    Spelling(
      NameWords(0x6e6f_6974_6163_6f6c, 0x0000_0000_0000_0000, 0x0800_0000_0000_0000),
      NameWords(0xdfdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // refresh
    Spelling(
      NameWords(0x0068_7365_7266_6572, 0x0000_0000_0000_0000, 0x0700_0000_0000_0000),
      NameWords(0xffdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // retry-after
    Spelling(
      NameWords(0x6661_2d79_7274_6572, 0x0000_0000_0072_6574, 0x0b00_0000_0000_0000),
      NameWords(0xdfdf_ffdf_dfdf_dfdf, 0xffff_ffff_ffdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // content-type
    Spelling(
      NameWords(0x2d74_6e65_746e_6f63, 0x0000_0000_6570_7974, 0x0c00_0000_0000_0000),
      NameWords(0xffdf_dfdf_dfdf_dfdf, 0xffff_ffff_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // content-encoding
    Spelling(
      NameWords(0x2d74_6e65_746e_6f63, 0x676e_6964_6f63_6e65, 0x1000_0000_0000_0000),
      NameWords(0xffdf_dfdf_dfdf_dfdf, 0xdfdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // cookie
    Spelling(
      NameWords(0x0000_6569_6b6f_6f63, 0x0000_0000_0000_0000, 0x0600_0000_0000_0000),
      NameWords(0xffff_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // set-cookie
    Spelling(
      NameWords(0x6b6f_6f63_2d74_6573, 0x0000_0000_0000_6569, 0x0a00_0000_0000_0000),
      NameWords(0xdfdf_dfdf_ffdf_dfdf, 0xffff_ffff_ffff_dfdf, 0xffff_ffff_ffff_ffff)),
    // authorization
    Spelling(
      NameWords(0x7a69_726f_6874_7561, 0x0000_006e_6f69_7461, 0x0d00_0000_0000_0000),
      NameWords(0xdfdf_dfdf_dfdf_dfdf, 0xffff_ffdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // user-agent
    Spelling(
      NameWords(0x6567_612d_7265_7375, 0x0000_0000_0000_746e, 0x0a00_0000_0000_0000),
      NameWords(0xdfdf_dfff_dfdf_dfdf, 0xffff_ffff_ffff_dfdf, 0xffff_ffff_ffff_ffff)),
    // accept
    Spelling(
      NameWords(0x0000_7470_6563_6361, 0x0000_0000_0000_0000, 0x0600_0000_0000_0000),
      NameWords(0xffff_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // accept-encoding
    Spelling(
      NameWords(0x652d_7470_6563_6361, 0x0067_6e69_646f_636e, 0x0f00_0000_0000_0000),
      NameWords(0xdfff_dfdf_dfdf_dfdf, 0xffdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // cache-control
    Spelling(
      NameWords(0x6f63_2d65_6863_6163, 0x0000_006c_6f72_746e, 0x0d00_0000_0000_0000),
      NameWords(0xdfdf_ffdf_dfdf_dfdf, 0xffff_ffdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // referer
    Spelling(
      NameWords(0x0072_6572_6566_6572, 0x0000_0000_0000_0000, 0x0700_0000_0000_0000),
      NameWords(0xffdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // origin
    Spelling(
      NameWords(0x0000_6e69_6769_726f, 0x0000_0000_0000_0000, 0x0600_0000_0000_0000),
      NameWords(0xffff_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // forwarded
    Spelling(
      NameWords(0x6564_7261_7772_6f66, 0x0000_0000_0000_0064, 0x0900_0000_0000_0000),
      NameWords(0xdfdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffdf, 0xffff_ffff_ffff_ffff)),
    // x-forwarded-for
    Spelling(
      NameWords(0x7261_7772_6f66_2d78, 0x0072_6f66_2d64_6564, 0x0f00_0000_0000_0000),
      NameWords(0xdfdf_dfdf_dfdf_ffdf, 0xffdf_dfdf_ffdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // x-forwarded-host
    Spelling(
      NameWords(0x7261_7772_6f66_2d78, 0x7473_6f68_2d64_6564, 0x1000_0000_0000_0000),
      NameWords(0xdfdf_dfdf_dfdf_ffdf, 0xdfdf_dfdf_ffdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // x-forwarded-proto
    Spelling(
      NameWords(0x7261_7772_6f66_2d78, 0x746f_7270_2d64_6564, 0x1100_0000_0000_006f),
      NameWords(0xdfdf_dfdf_dfdf_ffdf, 0xdfdf_dfdf_ffdf_dfdf, 0xffff_ffff_ffff_ffdf)),
    // x-forwarded-client-cert
    Spelling(
      NameWords(0x7261_7772_6f66_2d78, 0x6569_6c63_2d64_6564, 0x1774_7265_632d_746e),
      NameWords(0xdfdf_dfdf_dfdf_ffdf, 0xdfdf_dfdf_ffdf_dfdf, 0xffdf_dfdf_dfff_dfdf)),
    // x-request-id
    Spelling(
      NameWords(0x7365_7571_6572_2d78, 0x0000_0000_6469_2d74, 0x0c00_0000_0000_0000),
      NameWords(0xdfdf_dfdf_dfdf_ffdf, 0xffff_ffff_dfdf_ffdf, 0xffff_ffff_ffff_ffff)),
    // traceparent
    Spelling(
      NameWords(0x7261_7065_6361_7274, 0x0000_0000_0074_6e65, 0x0b00_0000_0000_0000),
      NameWords(0xdfdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // sec-websocket-key
    Spelling(
      NameWords(0x7362_6577_2d63_6573, 0x656b_2d74_656b_636f, 0x1100_0000_0000_0079),
      NameWords(0xdfdf_dfdf_ffdf_dfdf, 0xdfdf_ffdf_dfdf_dfdf, 0xffff_ffff_ffff_ffdf)),
    // sec-websocket-accept
    Spelling(
      NameWords(0x7362_6577_2d63_6573, 0x6361_2d74_656b_636f, 0x1400_0000_7470_6563),
      NameWords(0xdfdf_dfdf_ffdf_dfdf, 0xdfdf_ffdf_dfdf_dfdf, 0xffff_ffff_dfdf_dfdf)),
    // grpc-timeout
    Spelling(
      NameWords(0x6d69_742d_6370_7267, 0x0000_0000_7475_6f65, 0x0c00_0000_0000_0000),
      NameWords(0xdfdf_dfff_dfdf_dfdf, 0xffff_ffff_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // grpc-status
    Spelling(
      NameWords(0x6174_732d_6370_7267, 0x0000_0000_0073_7574, 0x0b00_0000_0000_0000),
      NameWords(0xdfdf_dfff_dfdf_dfdf, 0xffff_ffff_ffdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // grpc-message
    Spelling(
      NameWords(0x7365_6d2d_6370_7267, 0x0000_0000_6567_6173, 0x0c00_0000_0000_0000),
      NameWords(0xdfdf_dfff_dfdf_dfdf, 0xffff_ffff_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // l5d-dtab
    Spelling(
      NameWords(0x6261_7464_2d64_356c, 0x0000_0000_0000_0000, 0x0800_0000_0000_0000),
      NameWords(0xdfdf_dfdf_ffdf_ffdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // l5d-ctx-dtab
    Spelling(
      NameWords(0x2d78_7463_2d64_356c, 0x0000_0000_6261_7464, 0x0c00_0000_0000_0000),
      NameWords(0xffdf_dfdf_ffdf_ffdf, 0xffff_ffff_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // l5d-ctx-deadline
    Spelling(
      NameWords(0x2d78_7463_2d64_356c, 0x656e_696c_6461_6564, 0x1000_0000_0000_0000),
      NameWords(0xffdf_dfdf_ffdf_ffdf, 0xdfdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // l5d-ctx-trace
    Spelling(
      NameWords(0x2d78_7463_2d64_356c, 0x0000_0065_6361_7274, 0x0d00_0000_0000_0000),
      NameWords(0xffdf_dfdf_ffdf_ffdf, 0xffff_ffdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // l5d-reqid
    Spelling(
      NameWords(0x6971_6572_2d64_356c, 0x0000_0000_0000_0064, 0x0900_0000_0000_0000),
      NameWords(0xdfdf_dfdf_ffdf_ffdf, 0xffff_ffff_ffff_ffdf, 0xffff_ffff_ffff_ffff)),
    // l5d-sample
    Spelling(
      NameWords(0x706d_6173_2d64_356c, 0x0000_0000_0000_656c, 0x0a00_0000_0000_0000),
      NameWords(0xdfdf_dfdf_ffdf_ffdf, 0xffff_ffff_ffff_dfdf, 0xffff_ffff_ffff_ffff)),
    // l5d-dst-service
    Spelling(
      NameWords(0x2d74_7364_2d64_356c, 0x0065_6369_7672_6573, 0x0f00_0000_0000_0000),
      NameWords(0xffdf_dfdf_ffdf_ffdf, 0xffdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // l5d-dst-client
    Spelling(
      NameWords(0x2d74_7364_2d64_356c, 0x0000_746e_6569_6c63, 0x0e00_0000_0000_0000),
      NameWords(0xffdf_dfdf_ffdf_ffdf, 0xffff_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // l5d-dst-residual
    Spelling(
      NameWords(0x2d74_7364_2d64_356c, 0x6c61_7564_6973_6572, 0x1000_0000_0000_0000),
      NameWords(0xffdf_dfdf_ffdf_ffdf, 0xdfdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // l5d-err
    Spelling(
      NameWords(0x0072_7265_2d64_356c, 0x0000_0000_0000_0000, 0x0700_0000_0000_0000),
      NameWords(0xffdf_dfdf_ffdf_ffdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // l5d-retryable
    Spelling(
      NameWords(0x7274_6572_2d64_356c, 0x0000_0065_6c62_6179, 0x0d00_0000_0000_0000),
      NameWords(0xdfdf_dfdf_ffdf_ffdf, 0xffff_ffdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // l5d-success-class
    Spelling(
      NameWords(0x6363_7573_2d64_356c, 0x7361_6c63_2d73_7365, 0x1100_0000_0000_0073),
      NameWords(0xdfdf_dfdf_ffdf_ffdf, 0xdfdf_dfdf_ffdf_dfdf, 0xffff_ffff_ffff_ffdf)),
    // l5d-name
    Spelling(
      NameWords(0x656d_616e_2d64_356c, 0x0000_0000_0000_0000, 0x0800_0000_0000_0000),
      NameWords(0xdfdf_dfdf_ffdf_ffdf, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
    // l5d-add-context
    Spelling(
      NameWords(0x2d64_6461_2d64_356c, 0x0074_7865_746e_6f63, 0x0f00_0000_0000_0000),
      NameWords(0xffdf_dfdf_ffdf_ffdf, 0xffdf_dfdf_dfdf_dfdf, 0xffff_ffff_ffff_ffff)),
    // l5dOther
    Spelling(
      NameWords(0x0000_0000_0000_0000, 0x0000_0000_0000_0000, 0x0000_0000_0000_0000),
      NameWords(0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff, 0xffff_ffff_ffff_ffff)),
  ]
}
