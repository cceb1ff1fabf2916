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
    Key(
      "faults", \.faults, .optional(faults.codec), origin: .ours, defaultNote: "none",
      "Delay or refuse a share of the requests on purpose, to see how callers take it."),
    Key(
      "mirror", \.mirror, .optional(mirror.codec), origin: .ours, defaultNote: "none",
      "Send a copy of a share of the requests to another name; nobody waits for its answers, which are thrown away."),
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

extension KeyTables {
  // MARK: Faults

  private static let faults = ObjectTable<Configuration.Faults>(
    { Configuration.Faults() },
    [
      Key("delay", \.delay, .optional(delay.codec), origin: .ours, defaultNote: "none", "Hold requests back."),
      Key(
        "abort", \.abort, .optional(abort.codec), origin: .ours, defaultNote: "none",
        "Answer in place of an endpoint; behind the delay, if both befall a request."),
      Key(
        "onlyWith", \.onlyWith, .optional(onlyWith.codec), origin: .ours, defaultNote: "all",
        "Only requests with this field are meant."),
      Key(
        "byHeader", \.isByHeader, .boolean, origin: .ours,
        "Requests may ask for faults by themselves: `l5d-fault-delay` (ms), `l5d-fault-abort` (HTTP status),"
          + " `l5d-fault-abort-grpc` (gRPC status). Only where callers are trusted: `clearContext` takes the fields off."
      ),
    ])

  private static let delay = ObjectTable<Configuration.Faults.Delay>(
    { Configuration.Faults.Delay() },
    [
      Key("ms", \.milliseconds, .integer(1...300_000), unit: "ms", origin: .ours, required: true, "How long."),
      Key(
        "percent", \.percent, .number(0...100), origin: .ours,
        "The share of the requests, drawn for each: 0.0001 is one in a million."),
    ])

  private static let abort = ObjectTable<Configuration.Faults.Abort>(
    { Configuration.Faults.Abort() },
    [
      Key("status", \.status, .integer(200...599), origin: .ours, "The HTTP status of the answer."),
      Key(
        "grpcStatus", \.grpcStatus, .optional(.integer(0...16)), origin: .ours,
        defaultNote: "what `status` stands for", "What calls of gRPC end with, such as 14."),
      Key(
        "percent", \.percent, .number(0...100), origin: .ours, required: true,
        "The share of the requests, drawn for each: 0.0001 is one in a million."),
    ])

  private static let onlyWith = ObjectTable<Configuration.Faults.Field>(
    { Configuration.Faults.Field() },
    [
      Key("header", \.header, .headerName, origin: .ours, required: true, "The field's name."),
      Key("value", \.value, .optional(.headerValue), origin: .ours, defaultNote: "any", "Its whole value."),
    ])

  // MARK: Mirroring

  private static let mirror = ObjectTable<Configuration.Mirror>(
    { Configuration.Mirror() },
    [
      Key(
        "name", \.name, .path, origin: .ours, required: true,
        "The logical name that gets the copies, such as `/svc/shadow`; bound by the same dtab."),
      Key("percent", \.percent, .number(0...100), origin: .ours, "The share of the requests, drawn for each."),
      Key(
        "maxBodyBytes", \.maxBodyBytes, .integer(0...16_777_216), unit: "B", origin: .ours,
        "A request with a longer body is not copied."),
      Key(
        "maxInFlight", \.maxInFlight, .integer(1...100_000), origin: .ours,
        "Copies of all names that may be on their way at once, per worker; beyond, requests are not copied."),
      Key(
        "timeoutMs", \.timeoutMilliseconds, .integer(1...3_600_000), unit: "ms", origin: .ours,
        "From when a copy is sent to the end of its answer."),
    ])
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
