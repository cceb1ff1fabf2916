import Dtab
import MeshBase

extension KeyTables {
  /// The namers over ZooKeeper.
  static let zooKeeperNamers = [
    namerKind(
      "io.l5d.serversets", Configuration.Namer.ZooKeeper(),
      "Groups of members in ZooKeeper, as Aurora and Finagle services announce them.", zooKeeperKeys,
      wrap: { .serversets($0) },
      unwrap: { kind in
        if case .serversets(let zooKeeper) = kind { zooKeeper } else { nil }
      }, check: checkZooKeeper),
    namerKind(
      "io.l5d.zkLeader", Configuration.Namer.ZooKeeper(),
      "The leader of a group of candidates in ZooKeeper, such as a Mesos master.", zooKeeperKeys,
      wrap: { .zkLeader($0) },
      unwrap: { kind in
        if case .zkLeader(let zooKeeper) = kind { zooKeeper } else { nil }
      }, check: checkZooKeeper),
  ]

  private static let zooKeeperKeys: [Key<NamerFields<Configuration.Namer.ZooKeeper>>] = [
    Key(
      "zkAddrs", \.details.servers, .list(hostAndPort(defaultPort: 2_181)), required: true,
      "The servers of the ensemble, each with `host` and `port`. Names are followed in DNS."),
    Key(
      "zkRoot", \.details.root, .optional(.nodePath), origin: .ours,
      "The node below which names begin, as behind the `/` of a `zk://` address."),
    Key(
      "zkAuth", \.details.credentials, .optional(.userAndPassword), origin: .ours, secret: true,
      "`USER:PASSWORD` of the `digest` scheme, for nodes that not everybody may read."),
    Key(
      "sessionTimeoutMs", \.details.sessionTimeoutMilliseconds, .integer(1_000...600_000), unit: "ms", origin: .ours,
      "Asked of the servers, which grant between 2 and 20 of their ticks. After two thirds of it without a word from a "
        + "server the next one is asked."),
  ]

  private static let checkZooKeeper: @Sendable (Configuration.Namer.ZooKeeper, KeyTrail, inout Decoding) -> Void = {
    zooKeeper, trail, decoding in
    let key = trail.key("zkAddrs")
    guard zooKeeper.servers.isEmpty, let found = decoding.values[key.canonical], decoding.isSound(key.canonical) else {
      return
    }
    decoding.report(
      .error, .conflict, key, found.place, "an empty list",
      remedy: "Write at least one server: [{host: zk1, port: 2181}].")
  }

  /// A host with a port that has a default.
  static func hostAndPort(defaultPort: Int) -> Codec<Configuration.HostAndPort> {
    ObjectTable<Configuration.HostAndPort>(
      { Configuration.HostAndPort(port: defaultPort) },
      [
        Key("host", \.host, .host, required: true, "An address or a host name."),
        Key("port", \.port, .port, "Where it listens."),
      ]
    ).codec
  }
}

extension Codec where Value == String {
  /// A literal address or a host name.
  static var host: Codec {
    .text("host") { text in
      if SocketAddress(ip: text, port: 0) != nil { return nil }
      if text.hasPrefix("[") { return TextFault("\"\(text)\" is not a host", "Write it without brackets.") }
      let isName =
        text.utf8.count <= 253
        && text.utf8.allSatisfy { byte in
          Ascii.isDigit(byte) || (0x61...0x7a).contains(Ascii.lowercased(byte)) || "-._".utf8.contains(byte)
        }
      let remedy = text.contains(":") ? "The port has a key of its own." : "Write an address or a host name."
      return isName ? nil : TextFault("\"\(text)\" is not a host", remedy)
    }
  }

  /// A path in ZooKeeper.
  static var nodePath: Codec {
    .text("path") { text in
      guard text.hasPrefix("/") else { return TextFault("\"\(text)\" is not a path", "Write \"/\(text)\".") }
      guard text.utf8.count > 1, !text.hasSuffix("/"), !text.contains("//") else {
        return TextFault("\"\(text)\" has an empty element", "Write a path such as /discovery.")
      }
      return nil
    }
  }

  static var userAndPassword: Codec {
    .text("`USER:PASSWORD`") { text in
      let colon = text.firstIndex(of: ":")
      return colon != nil && colon != text.startIndex
        ? nil : TextFault("there is no user before a \":\"", "Write USER:PASSWORD.")
    }
  }
}
