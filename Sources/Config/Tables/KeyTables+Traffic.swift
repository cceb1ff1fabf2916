/// Traffic control: what is changed, kept together, disturbed or copied on purpose.
extension KeyTables {
  static let clientTraffic: [Key<Configuration.Client>] = [
    Key(
      "requestHeaders", \.requestHeaders, .optional(requestHeaders.codec), origin: .ours, defaultNote: "none",
      "Fields that requests lose or get on their way to these endpoints; after those of `service`."),
    Key(
      "responseHeaders", \.responseHeaders, .optional(responseHeaders.codec), origin: .ours, defaultNote: "none",
      "Fields that responses of these endpoints lose or get; before those of `service`."),
    Key(
      "stickyCookie", \.stickyCookie, .optional(stickyCookie.codec), origin: .ours, defaultNote: "none",
      "Give callers a cookie that brings their next requests to the same endpoint, while it is there and well."),
  ]

  static let serviceTraffic: [Key<Configuration.Service>] = [
    Key(
      "requestHeaders", \.requestHeaders, .optional(requestHeaders.codec), origin: .ours, defaultNote: "none",
      "Fields that requests for the name lose or get, wherever the dtab sends them."),
    Key(
      "responseHeaders", \.responseHeaders, .optional(responseHeaders.codec), origin: .ours, defaultNote: "none",
      "Fields that endpoints' responses to such requests lose or get."),
  ]

  // MARK: Header rules

  private static let requestHeaders = headerRules(.request)
  private static let responseHeaders = headerRules(.response)

  private static func headerRules(_ direction: HeaderDirection) -> ObjectTable<Configuration.HeaderRules> {
    ObjectTable<Configuration.HeaderRules>(
      { Configuration.HeaderRules() },
      [
        Key(
          "remove", \.remove, .list(.changeableHeader(direction)), origin: .ours,
          "Names of fields that are taken out. This is done first, then `set`, then `add`."),
        Key("set", \.set, .headerLines(direction), origin: .ours, "Fields that replace all others of their names."),
        Key("add", \.add, .headerLines(direction), origin: .ours, "Fields that come beside others of their names."),
      ])
  }

  // MARK: Stickiness

  private static let stickyCookie = ObjectTable<Configuration.StickyCookie>(
    { Configuration.StickyCookie() },
    [
      Key("enabled", \.isEnabled, .boolean, origin: .ours, "False: as if the block were not there."),
      Key("name", \.name, .cookieName, origin: .ours, "The cookie's name. The default is marathon-lb's."),
      Key(
        "secret", \.secret, .optional(.text("secret")), origin: .ours, secret: true, defaultNote: "none",
        "Mixed into the cookie's values; all routers of a fleet have the same. Without it, who guesses an endpoint's"
          + " address can tell its value."),
      Key(
        "maxAgeSeconds", \.maxAgeSeconds, .limit(max: 400 * 86_400), unit: "s", origin: .ours,
        "How long callers keep the cookie; none: as long as their session lasts."),
      Key("secure", \.isSecure, .boolean, origin: .ours, "Callers send the cookie over TLS only."),
      Key("httpOnly", \.isHTTPOnly, .boolean, origin: .ours, "Scripts of a page do not see the cookie."),
      Key(
        "sameSite", \.sameSite, .optional(.choice()), origin: .ours, defaultNote: "not said",
        "Whether callers send the cookie along when another site leads to this one."),
    ],
    finish: { cookie, _, trail, decoding in
      if cookie.sameSite == Configuration.StickyCookie.SameSite.none, !cookie.isSecure {
        decoding.report(
          .error, .conflict, at: trail.key("sameSite").canonical, "None, but secure is false: browsers drop the cookie",
          remedy: "Set secure: true, or sameSite: Lax.")
      }
    })
}

/// Which way a field goes.
enum HeaderDirection: Sendable { case request, response }

extension TextFault {
  /// Why rules may not touch this field; `nil`: they may.
  init?(header name: String, _ direction: HeaderDirection) {
    let lower = name.lowercased()
    if lower.hasPrefix("l5d-") {
      self.init("\"\(name)\" is the router's own, as all that begin with l5d-", "Choose another name.")
    } else if Self.framing.contains(lower) {
      self.init(
        "\"\(name)\" belongs to a connection or frames the message, which is the router's work", "Leave it out.")
    } else if direction == .request, lower == "host" {
      self.init(
        "\"\(name)\" says which service a request is for",
        "Let the dtab send it elsewhere; or a namer set it (setHost).")
    } else if direction == .request ? Self.ofRequests.contains(lower) : Self.ofResponses.contains(lower) {
      self.init("\"\(name)\" is written by the router or the protocol", "Leave it out.")
    } else {
      return nil
    }
  }

  private static let framing: Set = [
    "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings",
    "proxy-authenticate", "proxy-authorization", "content-length", "sec-websocket-key", "sec-websocket-accept",
  ]
  private static let ofRequests: Set = [
    "via", "expect", "max-forwards", "grpc-timeout", "x-forwarded-client-cert",
  ]
  private static let ofResponses: Set = ["via", "date", "grpc-status", "grpc-message", "grpc-status-details-bin"]
}

extension Codec where Value == String {
  /// A name that rules may take out or set.
  static func changeableHeader(_ direction: HeaderDirection) -> Codec {
    let plain = headerName
    return Codec(
      plain.shape,
      decode: { node, trail, decoding in
        guard let name = plain.decode(node, trail, &decoding) else { return nil }
        guard let fault = TextFault(header: name, direction) else { return name }
        decoding.report(.error, .badValue, trail, node.place, fault.message, remedy: fault.remedy)
        return nil
      }, encode: plain.encode)
  }

  /// RFC 9110 §5.5: visible characters, with blanks between them.
  static var headerValue: Codec {
    .text("header value", emptyAllowed: true) { value in
      let scalars = Array(value.unicodeScalars)
      if let index = scalars.firstIndex(where: { $0.value < 0x20 && $0 != "\t" || $0.value == 0x7f }) {
        let isLine = scalars[index] == "\r" || scalars[index] == "\n"
        return TextFault(
          isLine ? "a line end would begin another field" : "a control character", "Keep the value in one line.",
          at: index)
      }
      let blanks: [Unicode.Scalar] = [" ", "\t"]
      if let first = scalars.first, let last = scalars.last, blanks.contains(first) || blanks.contains(last) {
        return TextFault("blanks at an end of a value are lost on the way", "Leave them out.")
      }
      return nil
    }
  }

  /// RFC 6265 §4.1.1: a token.
  static var cookieName: Codec {
    .text("cookie name") { name in
      headerFault(name) == nil ? nil : TextFault("\"\(name)\" is not a cookie name", "Use letters, digits, - and _.")
    }
  }
}

extension Codec where Value == [Configuration.HeaderLine] {
  /// Names with a value each.
  static func headerLines(_ direction: HeaderDirection) -> Codec {
    let value = Codec<String>.headerValue
    return Codec(
      .map(value.shape),
      decode: { node, trail, decoding in
        guard case .mapping(let pairs) = node.content else {
          decoding.report(
            .error, .wrongType, trail, node.place, "expected a mapping from header names to values, found \(node.noun)",
            remedy: "Write for example {X-Version: \"2\"}.")
          return nil
        }
        return pairs.compactMap { pair in
          let lineTrail = trail.key(pair.key)
          decoding.note(pair.value, lineTrail, keyPlace: pair.keyPlace)
          if let first = pair.duplicateOf {
            decoding.report(
              .error, .duplicateKey, lineTrail, pair.keyPlace, "written twice, first in line \(first.line)",
              remedy: "Keep one of them.")
            return nil
          }
          if let fault = Codec<String>.headerFault(pair.key) ?? TextFault(header: pair.key, direction) {
            decoding.report(.error, .badValue, lineTrail, pair.keyPlace, fault.message, remedy: fault.remedy)
            return nil
          }
          if pair.value.isNull {
            decoding.report(
              .error, .emptyValue, lineTrail, pair.keyPlace, "no value",
              remedy: "Write \"\" for an empty one; \"remove\" takes a field out.")
            return nil
          }
          return value.decode(pair.value, lineTrail, &decoding).map { Configuration.HeaderLine(pair.key, $0) }
        }
      },
      encode: { lines in .object(lines.map { JSONValue.Member($0.name, .string($0.value)) }) })
  }
}
