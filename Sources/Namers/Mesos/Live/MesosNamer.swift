import Dtab
import MeshBase
import Net

/// A namer over what is known of a Mesos cluster, which tells of that cluster when it is asked how it is.
@ControlActor
public protocol MesosClusterNamer: Namer {
  var cluster: MesosCluster { get }
}

extension MesosClusterNamer {
  public var failingSince: MonotonicInstant? { cluster.failingSince(below: prefix) }
  public var lastError: String? { cluster.lastError }

  public func state() -> NamerState {
    NamerState(
      kind: kind, prefix: prefix, facts: cluster.facts, lastError: cluster.lastError,
      names: cluster.names(below: prefix))
  }
}

/// `io.l5d.mesos`: `[:port/]<framework>/<task or discovery name>`; the rest is residual. The tasks of all frameworks of
/// that name with that name, their first port or the one that is named.
@ControlActor
public final class MesosNamer: MesosClusterNamer {
  public let prefix: Path
  public let kind = "io.l5d.mesos"
  public let cluster: MesosCluster

  public init(prefix: Path = "/#/io.l5d.mesos", cluster: MesosCluster) {
    self.prefix = prefix
    self.cluster = cluster
  }

  public func joined(_ registry: NamerRegistry) { cluster.joined(registry) }

  public func lookup(_ rest: Path) -> NameLookup {
    let (port, name) = MesosPath.port(rest)
    guard name.count >= 2 else { return NameLookup(.tree(.neg)) }
    let query = MesosQuery.service(
      framework: MesosPath.text(name[0]), name: MesosPath.text(name[1]), port: port)
    return cluster.follow(prefix + rest.prefix(rest.count - name.count + 2), residual: name.dropFirst(2), query)
  }

  public func nearNames(to rest: Path, limit: Int) -> [Path] {
    let (_, name) = MesosPath.port(rest)
    guard name.count >= 2 else { return [] }
    let marker = prefix + rest.prefix(rest.count - name.count)
    return cluster.nearNames(framework: MesosPath.text(name[0]), name: MesosPath.text(name[1]), limit: limit)
      .filter { !$0.framework.isEmpty && !$0.name.isEmpty }
      .map { marker.appending(Label(MesosPath.segment($0.framework))).appending(Label(MesosPath.segment($0.name))) }
  }
}

/// `io.l5d.mesosdns`: the names that mesos-dns serves, `[:port/]web-shop.marathon.mesos` and
/// `_http._web-shop._tcp.marathon.mesos`, with the ports it cannot tell of; single tasks, frameworks (`marathon.mesos`)
/// and the cluster itself (`leader.mesos`) as well.
@ControlActor
public final class MesosDnsNamer: MesosClusterNamer {
  public let prefix: Path
  public let kind = "io.l5d.mesosdns"
  public let cluster: MesosCluster

  /// What the names end with.
  public let domain: String

  public init(prefix: Path = "/#/io.l5d.mesosdns", domain: String = "mesos", cluster: MesosCluster) {
    self.prefix = prefix
    self.domain = domain.lowercased()
    self.cluster = cluster
  }

  public func lookup(_ rest: Path) -> NameLookup {
    let (port, path) = MesosPath.port(rest)
    guard let text = path.first?.text else { return NameLookup(.tree(.neg)) }
    if let system = MesosSystemName(text, domain: domain) {
      return cluster.follow(prefix.appending(Label(text.lowercased())), residual: path.dropFirst(1), system)
    }
    guard let name = MesosDnsName(text, domain: domain) else { return NameLookup(.tree(.neg)) }
    var id = prefix + rest.prefix(rest.count - path.count)
    // Letter case and a final dot make no difference.
    id = id.appending(Label(name.written(domain: domain)))
    return cluster.follow(id, residual: path.dropFirst(1), .dns(name, port: port))
  }

  public func nearNames(to rest: Path, limit: Int) -> [Path] {
    let (_, path) = MesosPath.port(rest)
    guard let text = path.first?.text.lowercased() else { return [] }
    let tail = domain
    let names = cluster.model.frameworks.values.lazy.filter { $0.name != nil }.flatMap { framework in
      framework.byLabel.keys.lazy.filter { !$0.isEmpty }.map { "\($0).\(framework.label).\(tail)" }
    }
    return MeshBase.nearNames(to: text, among: names, limit: limit).map { prefix.appending(Label($0)) }
  }
}

/// How paths name things of a Mesos cluster.
enum MesosPath {
  /// A leading `:port`, and the rest.
  static func port(_ rest: Path) -> (MesosPortChoice, Path) {
    guard let first = rest.first, first.bytes[0] == UInt8(ascii: ":") else { return (.first, rest) }
    let text = String(decoding: first.bytes.dropFirst(), as: UTF8.self)
    return (text.isEmpty ? .first : .named(text), rest.dropFirst(1))
  }

  /// A label with `%xx` undone: frameworks have names such as `dev/streamer`.
  static func text(_ label: Label) -> String {
    let bytes = label.bytes
    guard bytes.contains(UInt8(ascii: "%")) else { return label.text }
    var out: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = Ascii.hexValue(bytes[index + 1]),
        let low = Ascii.hexValue(bytes[index + 2])
      {
        out.append(high << 4 | low)
        index += 3
      } else {
        out.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The inverse of `text`: what cannot stand in a label as it is, as `%xx`.
  static func segment(_ text: String) -> String {
    var out: [UInt8] = []
    for byte in text.utf8 {
      if Label.isPlain(byte) && byte != UInt8(ascii: "%") {
        out.append(byte)
      } else {
        out += [UInt8(ascii: "%"), Ascii.hexDigit(byte >> 4), Ascii.hexDigit(byte & 15)]
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}
