extension KeyTables {
  static let admin = ObjectTable<Configuration.Admin>(
    { Configuration.Admin() },
    [
      Key("ip", \.ip, .ipAddress, "Address to listen on. Beyond loopback, set `token` as well."),
      Key("port", \.port, .listenPort, "Port to listen on; 0 lets the kernel choose."),
      Key("socketPath", \.socketPath, .optional(.file), origin: .ours, "A Unix socket to listen on as well."),
      Key(
        "token", \.token, .optional(.text(rule: tokenRule)), origin: .ours, secret: true,
        "When set, each request must bear `Authorization: Bearer TOKEN`. Best written as `${file:PATH}`."),
      Key("security", \.security, security.codec, "What is served."),
      Key(
        "shutdownGraceMs", \.shutdownGraceMilliseconds, .integer(0...86_400_000), unit: "ms",
        "Time active requests get to end after SIGTERM, SIGINT or `POST /admin/shutdown`."),
      .ignored(
        "workerThreads", .integer(1...Int.max), say: .hint,
        "The admin server has a thread of its own, apart from the workers."),
      .ignored("httpIdentifierPort", .integer(0...65_535), "meshrouter why URL shows how a request is identified."),
      .ignored("socketOptions", .map(.text("anything")), "The admin server's sockets need no options."),
      Key(
        "tls", \.tls, .optional(serverTLS(isAdmin: true).codec), defaultNote: "none",
        "Speak TLS on the address; the Unix socket needs none."),
    ])

  static let security = ObjectTable<Configuration.Admin.Security>(
    { Configuration.Admin.Security() },
    [
      Key("uiEnabled", \.uiEnabled, .boolean, "Pages for people."),
      Key("controlEnabled", \.controlEnabled, .boolean, "Whatever changes something: shutdown, logging levels, dtabs."),
      Key(
        "diagnosticsEnabled", \.diagnosticsEnabled, .boolean, "Whatever shows state: metrics, bound names, delegation."),
      Key(
        "pathWhitelist", \.pathWhitelist, .list(.regularExpression),
        "Paths which are served although a switch above is off."),
      Key(
        "pathBlacklist", \.pathBlacklist, .list(.regularExpression), "Paths which are refused; stronger than all else."),
    ])

  /// RFC 6750 §2.1: what can stand after "Bearer".
  private static let tokenRule: @Sendable (String) -> TextFault? = { token in
    let isSendable = token.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    return isSendable ? nil : TextFault("does not fit", "A token consists of visible ASCII characters without spaces.")
  }
}
