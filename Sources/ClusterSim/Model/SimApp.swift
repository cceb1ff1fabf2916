import MeshBase
import Net

/// How the tasks of an app are reached.
public enum NetworkMode: String, Sendable, CaseIterable {
  /// Ports of the agent.
  case host
  /// A port of the agent is mapped to one of the container.
  case bridge
  /// The container has an address of its own.
  case container
  /// The same, as Marathon 1.4 and older wrote it.
  case ipAddress
}

/// One port of an app's definition.
public struct SimPort: Sendable, Equatable {
  public var name: String?
  /// `tcp`, `udp` or `udp,tcp`.
  public var protocolName = "tcp"
  public var containerPort = 8_080
  public var servicePort = 0
  /// Whether a port of the agent belongs to it.
  public var isMapped = true
  public var labels: KeyValues = [:]

  public init(
    name: String? = nil, protocolName: String = "tcp", containerPort: Int = 8_080, servicePort: Int = 0,
    isMapped: Bool = true, labels: KeyValues = [:]
  ) {
    self.name = name
    self.protocolName = protocolName
    self.containerPort = containerPort
    self.servicePort = servicePort
    self.isMapped = isMapped
    self.labels = labels
  }
}

/// Pairs in their order, as a JSON object of texts.
public struct KeyValues: Sendable, Equatable, ExpressibleByDictionaryLiteral {
  public struct Pair: Sendable, Equatable {
    public var key: String
    public var value: String
  }

  public var pairs: [Pair]

  public init(dictionaryLiteral elements: (String, String)...) {
    pairs = elements.map { Pair(key: $0.0, value: $0.1) }
  }

  init(_ node: JSONNode?) {
    pairs = (node?.members ?? []).compactMap { member in
      member.value.text.map { Pair(key: member.name, value: $0) }
    }
  }

  public var isEmpty: Bool { pairs.isEmpty }

  public subscript(_ key: String) -> String? { pairs.first { $0.key == key }?.value }

  var json: String {
    var json = JSONText()
    json.object { json in for pair in pairs { json.member(pair.key, pair.value) } }
    return json.text
  }
}

/// What to make an app of.
public struct AppPlan: Sendable {
  public var id: String
  public var mode = NetworkMode.host
  public var ports: [SimPort] = [SimPort(name: "http", servicePort: 10_100)]
  public var labels: KeyValues = [:]
  /// Health checks, all of this protocol: `HTTP` is Marathon's own, `MESOS_HTTP` is made by Mesos.
  public var checks = 0
  public var checkProtocol = "HTTP"
  public var instances = 1
  public var network = "dcos"
  /// Written as Marathon 1.4 and older did.
  public var isLegacy = false

  public init(
    _ id: String, mode: NetworkMode = .host, ports: [SimPort]? = nil, labels: KeyValues = [:], checks: Int = 0,
    checkProtocol: String = "HTTP", instances: Int = 1, isLegacy: Bool = false
  ) {
    self.id = id
    self.mode = mode
    if let ports { self.ports = ports }
    self.labels = labels
    self.checks = checks
    self.checkProtocol = checkProtocol
    self.instances = instances
    self.isLegacy = isLegacy || mode == .ipAddress
  }
}

/// A Marathon app with its tasks. Confined to the control thread.
@ControlActor
public final class SimApp {
  public nonisolated let id: String
  public internal(set) var plan: AppPlan
  public internal(set) var instances: Int
  public internal(set) var version: String
  public internal(set) var tasks: [SimTask] = []
  /// Ids of the deployments that are under way.
  public internal(set) var deployments: [String] = []
  /// Members of the definition as they stood in a fixture, those left out that change here.
  var definition: [JSONNode.Member]?
  /// The app as `/v2/apps/<id>?embed=app.tasks` shows it, until something about it changes.
  private var rendered: [UInt8]?

  init(_ plan: AppPlan, version: String) {
    id = plan.id
    self.plan = plan
    instances = plan.instances
    self.version = version
  }

  /// The app with its tasks as JSON text.
  var bytes: [UInt8] {
    if let rendered { return rendered }
    let bytes = Array(MarathonText.app(self, tasks: tasks).utf8)
    rendered = bytes
    return bytes
  }

  /// What it contributes to Marathon's list.
  public var jsonBytes: Int { bytes.count }

  func changed() { rendered = nil }

  /// Known before rendering, for answers which are taken verbatim from a fixture.
  func setRendered(_ bytes: [UInt8]) { rendered = bytes }
}
