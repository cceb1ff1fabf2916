/// Keys that the namers of cluster managers share.
extension KeyTables {
  static let clusterTLS = ObjectTable<Configuration.ClusterTLS>(
    { Configuration.ClusterTLS() },
    [
      Key("enabled", \.enabled, .boolean, origin: .ours, "False: clear text, as if the block were not there."),
      Key(
        "commonName", \.commonName, .optional(.text("name")), defaultNote: "the host that is asked",
        "The name that a server's certificate must have."),
      Key(
        "trustCertsBundle", \.terms.trustCertsBundle, .optional(.file), defaultNote: "the system's roots",
        "PEM file of the roots that vouch for servers, or a directory of such files."),
      Key("trustCerts", \.terms.trustCerts, .list(.file), "More such files; linkerd's former key."),
      Key(
        "disableValidation", \.terms.disableValidation, .boolean,
        "Believe any server. Whoever stands between can then say where requests go."),
      Key(
        "clientAuth", \.terms.clientAuth, .optional(certificate.codec), defaultNote: "none",
        "The certificate that is shown to servers which ask for one."),
      Key("protocols", \.terms.protocols, .list(.choice()), origin: .ours, "Versions that are spoken."),
      Key(
        "ciphers", \.terms.ciphers, .list(.text("name")), origin: .ours,
        defaultNote: "AES-GCM and ChaCha20 with forward secrecy",
        "Ciphers in the order of preference, by OpenSSL's or the IANA's names."),
    ],
    finish: { tls, _, trail, decoding in
      if tls.terms.disableValidation {
        decoding.report(
          .warning, .exposure, at: trail.key("disableValidation").canonical,
          "true: a server may be anyone, and so may whoever stands between",
          remedy: "Set trustCertsBundle where the roots are your own.")
      }
      if tls.terms.protocols.isEmpty, decoding.isSound(trail.key("protocols").index(0).canonical) {
        decoding.report(
          .error, .conflict, at: trail.key("protocols").canonical, "no version is left", remedy: "Leave the key out.")
      }
    })

  static let clusterAuth = ObjectTable<Configuration.ClusterAuth>(
    { Configuration.ClusterAuth() },
    [
      Key(
        "user", \.user, .optional(.text("name")), origin: .ours, defaultNote: "none",
        "With `password`: HTTP basic authentication."),
      Key(
        "password", \.password, .optional(.text("password")), origin: .ours, secret: true, defaultNote: "none",
        "Of `user`. Better not written here but as `${file:/path}` or `${env:NAME}`."),
      Key(
        "token", \.token, .optional(.text("token")), origin: .ours, secret: true, defaultNote: "none",
        "Shown as `Authorization: Bearer`."),
      Key(
        "tokenFile", \.tokenFile, .optional(.file), origin: .ours, defaultNote: "none",
        "A file with such a token, read again when it changes."),
      Key(
        "serviceAccountFile", \.serviceAccountFile, .optional(.file), origin: .ours, defaultNote: "none",
        "A file with the JSON of a DC/OS service account (`uid`, `private_key`, `login_endpoint`): logs in with a"
          + " signed token, and again when that is refused or the file has changed."),
    ],
    finish: { auth, _, trail, decoding in
      func conflict(_ message: String, _ remedy: String) {
        decoding.report(.error, .conflict, at: trail.canonical, message, remedy: remedy)
      }
      if (auth.user == nil) != (auth.password == nil) {
        conflict(auth.user == nil ? "a password without a user" : "a user without a password", "Set both.")
      }
      let ways = [auth.user != nil, auth.token != nil, auth.tokenFile != nil, auth.serviceAccountFile != nil]
      if ways.count(where: { $0 }) > 1 {
        conflict("more than one way to authenticate", "Keep user and password, token, tokenFile or serviceAccountFile.")
      }
    })

  /// `host`, `host:port`, or either behind `http://` or `https://`; or where ZooKeeper tells who leads:
  /// `zk://host:port,host:port/path`.
  static let clusterHost = Codec<String>.text("host:port") { text in
    if text.lowercased().hasPrefix("zk://") { return zooKeeperFault(text) }
    if isHost(text) { return nil }
    return TextFault(
      "\"\(text)\" is not a host with a port",
      "Write for example m1.example:8080, https://m1.example or zk://zk1:2181,zk2:2181/path.")
  }

  private static func isHost(_ text: String) -> Bool {
    var rest = Substring(text)
    for scheme in ["http://", "https://"] where text.lowercased().hasPrefix(scheme) {
      rest = rest.dropFirst(scheme.count)
    }
    if rest.hasSuffix("/") { rest = rest.dropLast() }
    let isPlain = !rest.isEmpty && !rest.utf8.contains { $0 <= 0x20 || "/?#@,".utf8.contains($0) }
    let isBracketed = rest.hasPrefix("[")
    let colon = rest.lastIndex(of: ":").map { rest[rest.index(after: $0)...] }
    let isWhole = colon == nil || isBracketed && rest.hasSuffix("]")
    let hasPort = isWhole || colon.flatMap { UInt16($0) }.map { $0 > 0 } == true
    let colons = rest.utf8.count { $0 == UInt8(ascii: ":") }
    return isPlain && hasPort && (isBracketed || colons <= 1) && !rest.hasPrefix(":")
  }

  private static func zooKeeperFault(_ text: String) -> TextFault? {
    let rest = text.dropFirst("zk://".count)
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    let path = rest[slash...]
    if rest[..<slash].contains("@") {
      return TextFault("a zk:// address with a password in it", "Write USER:PASSWORD under the key zkAuth.")
    }
    let servers = rest[..<slash].split(separator: ",", omittingEmptySubsequences: false)
    if let wrong = servers.first(where: { $0.contains("/") || !isHost(String($0)) }) {
      return TextFault("\"\(wrong)\" is not a ZooKeeper server", "Write for example zk://zk1:2181,zk2:2181/mesos.")
    }
    if path.utf8.count < 2 || path.hasSuffix("/") || path.contains("//") {
      return TextFault(
        "\"\(text)\" has no node's path behind the servers", "Write for example zk://zk1:2181,zk2:2181/mesos.")
    }
    return nil
  }

  /// A `zk://` address takes the place of all hosts, and `zkAuth` is for it alone.
  static func checkSource(
    _ hosts: [String], key: String, zooKeeperAuth: String?, _ trail: KeyTrail, _ decoding: inout Decoding
  ) {
    let addresses = hosts.count { $0.lowercased().hasPrefix("zk://") }
    if addresses > 0, hosts.count > 1 {
      decoding.report(
        .error, .conflict, at: trail.key(key).canonical, "a zk:// address beside other hosts",
        remedy: "Keep one of them; all servers of the ensemble stand in one address: zk://zk1:2181,zk2:2181/path.")
    }
    if addresses == 0, zooKeeperAuth != nil {
      decoding.report(
        .error, .conflict, at: trail.key("zkAuth").canonical, "zkAuth without a zk:// address",
        remedy: "Leave it out, or write zk://zk1:2181/path under \(key).")
    }
  }
}
