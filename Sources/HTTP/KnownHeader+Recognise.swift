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

  /// Whether these words spell `name`, which is in lower case, in any letter case. `words` is how many of the three the
  /// name reaches: where the lengths are equal, the others are zero on both sides.
  @inline(__always)
  func spell(_ name: NameWords, words: Int) -> Bool {
    var difference = NameWords.difference(first, name.first)
    if words > 1 { difference |= NameWords.difference(second, name.second) }
    difference |= words > 2 ? NameWords.difference(third, name.third) : third ^ name.third
    return difference == 0
  }

  /// Bits in which `word` is not `lower`, except for the case of letters. Of what names are made of, letters alone have
  /// bit 6 set, and bit 5 is their case.
  @inline(__always)
  private static func difference(_ word: UInt64, _ lower: UInt64) -> UInt64 {
    (word ^ lower) & ~(lower &>> 1 & Word.all(0x20))
  }
}

extension KnownHeader {
  /// The name spelt by `name` in any letter case; a match also proves that the name is a token.
  ///
  /// One multiplication gives the only candidate, three compares confirm it: no chain of branches to mispredict.
  @inline(__always)
  static func recognise(_ name: NameWords, words: Int) -> KnownHeader {
    let candidate = candidates[slot(name)]
    if name.spell(spellings[Int(candidate.rawValue)], words: words) { return candidate }
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
    return Int(((words.first & blind ^ (words.second & blind) &<< 1) &* 0xbc7a_4750_cb47_2967) &>> 57)
  }

  /// The one name that may sit in each slot.
  static let candidates: InlineArray<128, KnownHeader> = [
    .other, .xForwardedFor, .location, .other, .other, .other, .other, .other, .other, .other, .cacheControl, .other,
    .other, .other, .other, .other, .upgrade, .other, .l5dReqid, .other, .referer, .other, .accept, .other,
    .xForwardedProto, .other, .connection, .refresh, .contentEncoding, .other, .other, .proxyAuthenticate, .l5dName,
    .other, .other, .other, .date, .via, .other, .other, .other, .other, .l5dCtxDeadline, .other, .other,
    .contentLength, .other, .xRequestID, .host, .other, .l5dDstClient, .other, .other, .http2Settings, .traceparent,
    .other, .l5dDtab, .expect, .other, .authorization, .keepAlive, .other, .other, .other, .maxForwards, .contentType,
    .other, .other, .other, .other, .other, .other, .other, .other, .setCookie, .other, .other, .other, .userAgent,
    .other, .retryAfter, .server, .other, .l5dDstResidual, .acceptEncoding, .other, .other, .other, .l5dSample,
    .xForwardedHost, .l5dDstService, .other, .origin, .proxyConnection, .other, .xForwardedClientCert, .other, .other,
    .other, .l5dAddContext, .other, .other, .te, .other, .other, .other, .other, .other, .l5dCtxTrace, .other, .other,
    .forwarded, .l5dErr, .cookie, .other, .other, .other, .l5dRetryable, .other, .other, .other, .trailer,
    .proxyAuthorization, .l5dSuccessClass, .other, .transferEncoding, .l5dCtxDtab, .other,
  ]

  /// Lower-case spelling of each name in order of raw values; zero for those without one spelling.
  static let spellings: InlineArray<54, NameWords> = [
    NameWords(0x0000_0000_0000_0000, 0x0000_0000_0000_0000, 0x0000_0000_0000_0000),  // other
    NameWords(0x0000_0000_7473_6f68, 0x0000_0000_0000_0000, 0x0400_0000_0000_0000),  // host
    NameWords(0x6974_6365_6e6e_6f63, 0x0000_0000_0000_6e6f, 0x0a00_0000_0000_0000),  // connection
    NameWords(0x2d74_6e65_746e_6f63, 0x0000_6874_676e_656c, 0x0e00_0000_0000_0000),  // content-length
    NameWords(0x7265_6673_6e61_7274, 0x6e69_646f_636e_652d, 0x1100_0000_0000_0067),  // transfer-encoding
    NameWords(0x0000_0000_0000_6574, 0x0000_0000_0000_0000, 0x0200_0000_0000_0000),  // te
    NameWords(0x0072_656c_6961_7274, 0x0000_0000_0000_0000, 0x0700_0000_0000_0000),  // trailer
    NameWords(0x0065_6461_7267_7075, 0x0000_0000_0000_0000, 0x0700_0000_0000_0000),  // upgrade
    NameWords(0x696c_612d_7065_656b, 0x0000_0000_0000_6576, 0x0a00_0000_0000_0000),  // keep-alive
    NameWords(0x6f63_2d79_786f_7270, 0x6e6f_6974_6365_6e6e, 0x1000_0000_0000_0000),  // proxy-connection
    NameWords(0x7561_2d79_786f_7270, 0x6163_6974_6e65_6874, 0x1200_0000_0000_6574),  // proxy-authenticate
    NameWords(0x7561_2d79_786f_7270, 0x7461_7a69_726f_6874, 0x1300_0000_006e_6f69),  // proxy-authorization
    NameWords(0x0000_7463_6570_7865, 0x0000_0000_0000_0000, 0x0600_0000_0000_0000),  // expect
    NameWords(0x0000_0000_0061_6976, 0x0000_0000_0000_0000, 0x0300_0000_0000_0000),  // via
    NameWords(0x7772_6f66_2d78_616d, 0x0000_0000_7364_7261, 0x0c00_0000_0000_0000),  // max-forwards
    NameWords(0x6573_2d32_7074_7468, 0x0000_7367_6e69_7474, 0x0e00_0000_0000_0000),  // http2-settings
    NameWords(0x0000_0000_6574_6164, 0x0000_0000_0000_0000, 0x0400_0000_0000_0000),  // date
    NameWords(0x0000_7265_7672_6573, 0x0000_0000_0000_0000, 0x0600_0000_0000_0000),  // server
    NameWords(0x6e6f_6974_6163_6f6c, 0x0000_0000_0000_0000, 0x0800_0000_0000_0000),  // location
    NameWords(0x0068_7365_7266_6572, 0x0000_0000_0000_0000, 0x0700_0000_0000_0000),  // refresh
    NameWords(0x6661_2d79_7274_6572, 0x0000_0000_0072_6574, 0x0b00_0000_0000_0000),  // retry-after
    NameWords(0x2d74_6e65_746e_6f63, 0x0000_0000_6570_7974, 0x0c00_0000_0000_0000),  // content-type
    NameWords(0x2d74_6e65_746e_6f63, 0x676e_6964_6f63_6e65, 0x1000_0000_0000_0000),  // content-encoding
    NameWords(0x0000_6569_6b6f_6f63, 0x0000_0000_0000_0000, 0x0600_0000_0000_0000),  // cookie
    NameWords(0x6b6f_6f63_2d74_6573, 0x0000_0000_0000_6569, 0x0a00_0000_0000_0000),  // set-cookie
    NameWords(0x7a69_726f_6874_7561, 0x0000_006e_6f69_7461, 0x0d00_0000_0000_0000),  // authorization
    NameWords(0x6567_612d_7265_7375, 0x0000_0000_0000_746e, 0x0a00_0000_0000_0000),  // user-agent
    NameWords(0x0000_7470_6563_6361, 0x0000_0000_0000_0000, 0x0600_0000_0000_0000),  // accept
    NameWords(0x652d_7470_6563_6361, 0x0067_6e69_646f_636e, 0x0f00_0000_0000_0000),  // accept-encoding
    NameWords(0x6f63_2d65_6863_6163, 0x0000_006c_6f72_746e, 0x0d00_0000_0000_0000),  // cache-control
    NameWords(0x0072_6572_6566_6572, 0x0000_0000_0000_0000, 0x0700_0000_0000_0000),  // referer
    NameWords(0x0000_6e69_6769_726f, 0x0000_0000_0000_0000, 0x0600_0000_0000_0000),  // origin
    NameWords(0x6564_7261_7772_6f66, 0x0000_0000_0000_0064, 0x0900_0000_0000_0000),  // forwarded
    NameWords(0x7261_7772_6f66_2d78, 0x0072_6f66_2d64_6564, 0x0f00_0000_0000_0000),  // x-forwarded-for
    NameWords(0x7261_7772_6f66_2d78, 0x7473_6f68_2d64_6564, 0x1000_0000_0000_0000),  // x-forwarded-host
    NameWords(0x7261_7772_6f66_2d78, 0x746f_7270_2d64_6564, 0x1100_0000_0000_006f),  // x-forwarded-proto
    NameWords(0x7261_7772_6f66_2d78, 0x6569_6c63_2d64_6564, 0x1774_7265_632d_746e),  // x-forwarded-client-cert
    NameWords(0x7365_7571_6572_2d78, 0x0000_0000_6469_2d74, 0x0c00_0000_0000_0000),  // x-request-id
    NameWords(0x7261_7065_6361_7274, 0x0000_0000_0074_6e65, 0x0b00_0000_0000_0000),  // traceparent
    NameWords(0x6261_7464_2d64_356c, 0x0000_0000_0000_0000, 0x0800_0000_0000_0000),  // l5d-dtab
    NameWords(0x2d78_7463_2d64_356c, 0x0000_0000_6261_7464, 0x0c00_0000_0000_0000),  // l5d-ctx-dtab
    NameWords(0x2d78_7463_2d64_356c, 0x656e_696c_6461_6564, 0x1000_0000_0000_0000),  // l5d-ctx-deadline
    NameWords(0x2d78_7463_2d64_356c, 0x0000_0065_6361_7274, 0x0d00_0000_0000_0000),  // l5d-ctx-trace
    NameWords(0x6971_6572_2d64_356c, 0x0000_0000_0000_0064, 0x0900_0000_0000_0000),  // l5d-reqid
    NameWords(0x706d_6173_2d64_356c, 0x0000_0000_0000_656c, 0x0a00_0000_0000_0000),  // l5d-sample
    NameWords(0x2d74_7364_2d64_356c, 0x0065_6369_7672_6573, 0x0f00_0000_0000_0000),  // l5d-dst-service
    NameWords(0x2d74_7364_2d64_356c, 0x0000_746e_6569_6c63, 0x0e00_0000_0000_0000),  // l5d-dst-client
    NameWords(0x2d74_7364_2d64_356c, 0x6c61_7564_6973_6572, 0x1000_0000_0000_0000),  // l5d-dst-residual
    NameWords(0x0072_7265_2d64_356c, 0x0000_0000_0000_0000, 0x0700_0000_0000_0000),  // l5d-err
    NameWords(0x7274_6572_2d64_356c, 0x0000_0065_6c62_6179, 0x0d00_0000_0000_0000),  // l5d-retryable
    NameWords(0x6363_7573_2d64_356c, 0x7361_6c63_2d73_7365, 0x1100_0000_0000_0073),  // l5d-success-class
    NameWords(0x656d_616e_2d64_356c, 0x0000_0000_0000_0000, 0x0800_0000_0000_0000),  // l5d-name
    NameWords(0x2d64_6461_2d64_356c, 0x0074_7865_746e_6f63, 0x0f00_0000_0000_0000),  // l5d-add-context
    NameWords(0x0000_0000_0000_0000, 0x0000_0000_0000_0000, 0x0000_0000_0000_0000),  // l5dOther
  ]
}
