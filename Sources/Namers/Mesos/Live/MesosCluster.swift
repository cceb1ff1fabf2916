import Dtab
import MeshBase
import Net

/// One Mesos cluster, as its namers share it: the model, what keeps it up to date, and the names in use.
///
/// The master is asked from the first name on. What was known stays in force while it is away.
@ControlActor
public final class MesosCluster {
  public struct Options: Sendable {
    public enum Mode: Sendable { case subscribe, state }

    /// `nil`: the stream of events, and `/state` where the master has none.
    public var mode: Mode?
    /// Between two questions for `/state`.
    public var pollMilliseconds: UInt64 = 10_000
    /// In front of every path, as behind an admin router: `/mesos`.
    public var pathPrefix = ""
    /// Longest silence before the snapshot is whole.
    public var snapshotMilliseconds: UInt64 = 60_000
    public var firstDelayMilliseconds: UInt64 = 1_000
    public var longestDelayMilliseconds: UInt64 = 30_000

    public init() {}
  }

  public let options: Options
  /// Asks the masters.
  public let client: ClusterClient
  let model = MesosModel()
  private let leaders: any LeaderSource
  private let resolver: Resolver
  private let observers = Observers()
  private let feed: MesosFeed
  private var watches: [MesosInterest: [WeakWatch]] = [:]
  private var sources = WeakTable<Path, EndpointSource>()
  private lazy var publication = EndOfTurn { [weak self] in self?.publish() }
  private let agentNames: MesosAgentNames
  private var wasFailing = false
  private var wasComplete = false

  private struct WeakWatch {
    weak var watch: MesosWatch?
  }

  /// - Parameter source: tells which masters there are.
  public init(
    source: any LeaderSource, resolver: Resolver, security: ClusterClient.Security? = nil,
    credentials: ClusterCredentials = .none, options: Options = Options()
  ) {
    leaders = source
    self.resolver = resolver
    self.options = options
    let masters = MesosMasters(source)
    client = ClusterClient(source: masters, resolver: resolver, security: security, credentials: credentials)
    feed = MesosFeed(model: model, options: options, masters: masters, client: client)
    agentNames = MesosAgentNames(model: model, resolver: resolver)
    agentNames.onChange = { [weak self] in self?.publication.request() }
    feed.onChange = { [weak self] in self?.publication.request() }
  }

  isolated deinit { feed.stop() }

  /// The namer is part of a registry: a name that leads to the masters can be looked up.
  func joined(_ registry: NamerRegistry) { (leaders as? NamedHosts)?.start(registry) }

  // MARK: Names

  /// The source of an id, shared by all who use it.
  func source(_ id: Path, _ query: MesosQuery) -> EndpointSource {
    feed.start()
    if let known = sources[id] { return known }
    let source = EndpointSource()
    let watch = MesosWatch(query, source, model: model)
    source.feeder = watch
    sources[id] = source
    for interest in query.interests { add(watch, to: interest) }
    watch.update(failure: feed.failure)
    return source
  }

  /// A look-up that answers with the id for as long as anything is known of it.
  func follow(_ id: Path, residual: Path, _ query: MesosQuery) -> NameLookup {
    let bound = BoundName(id: id, residual: residual, endpoints: source(id, query))
    return NameLookup { Follow(bound, $0) }
  }

  /// The same for a name of the cluster itself.
  func follow(_ id: Path, residual: Path, _ name: MesosSystemName) -> NameLookup {
    feed.start()
    let source = sources.value(id) {
      EndpointSource { MesosSystemFeed(name, $0, of: self, resolver: resolver) }
    }
    return NameLookup { Follow(BoundName(id: id, residual: residual, endpoints: source), $0) }
  }

  /// `onChange` is called at the end of a turn in which anything may have changed.
  func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken { observers.add(onChange) }

  var failure: EndpointSource.Failure? { feed.failure }

  /// Whom a name of the cluster means; `nil`: not known yet.
  func entries(_ name: MesosSystemName) -> [HostEntry]? {
    let hosts: [ClusterHost]
    switch name {
    case .leader:
      guard let leader = feed.host else { return nil }
      hosts = [leader]
    case .masters, .master:
      if leaders.hosts.isEmpty { return nil }
      if case .master(let number) = name {
        hosts = leaders.hosts.indices.contains(number) ? [leaders.hosts[number]] : []
      } else {
        hosts = leaders.hosts
      }
    case .framework(let label):
      guard model.isComplete else { return nil }
      let known = model.frameworks.values.filter { $0.label == label }.sorted { $0.id < $1.id }
      hosts = known.compactMap { ClusterHost(host: "", port: 80).following($0.webURL)?.host }
        .filter { !$0.host.isEmpty }
    case .agents:
      guard model.isComplete else { return nil }
      let known = model.agents.values.filter { $0.isKnown && $0.address != nil }.sorted { $0.id < $1.id }
      return known.map { agent in
        HostEntry(host: agent.address?.ip ?? "", port: agent.port, metadata: ["agent": agent.title])
      }
    }
    return hosts.map { HostEntry(host: $0.host, port: $0.port) }
  }

  /// The names in use below a namer's prefix, for its state.
  func names(below prefix: Path) -> [NamerState.Name] {
    sources.entries.filter { $0.key.hasPrefix(prefix) }.map { NamerState.Name(id: $0.key, source: $0.value) }
  }

  func failingSince(below prefix: Path) -> MonotonicInstant? {
    guard feed.failure != nil, sources.entries.contains(where: { $0.key.hasPrefix(prefix) }) else { return nil }
    return feed.failure?.since
  }

  private func add(_ watch: MesosWatch, to interest: MesosInterest) {
    var known = watches[interest] ?? []
    known.removeAll { $0.watch == nil }
    known.append(WeakWatch(watch: watch))
    watches[interest] = known
    // Those that nobody is interested in any more go once per doubling.
    if watches.count >= sweepAt {
      watches = watches.compactMapValues { list in
        let living = list.filter { $0.watch != nil }
        return living.isEmpty ? nil : living
      }
      sweepAt = max(64, watches.count * 2)
    }
  }

  private var sweepAt = 64

  private func publish() {
    observers.notify()
    agentNames.update()
    let changes = model.takeChanges()
    guard model.isComplete else {
      if let failure = feed.failure { for watch in allWatches { watch.fail(failure.text) } }
      return
    }
    let isFailing = feed.failure != nil
    if !wasComplete || isFailing || wasFailing {
      wasComplete = true
      wasFailing = isFailing
      for watch in allWatches { watch.update(failure: feed.failure) }
      return
    }
    var due: [ObjectIdentifier: MesosWatch] = [:]
    func collect(_ interest: MesosInterest) {
      for entry in watches[interest] ?? [] { if let watch = entry.watch { due[ObjectIdentifier(watch)] = watch } }
    }
    for name in changes.names { collect(.service(label: name.label, framework: name.frameworkLabel)) }
    for vip in changes.vips { collect(.vip(vip)) }
    for watch in due.values { watch.update(failure: nil) }
  }

  private var allWatches: [MesosWatch] { sources.values.compactMap { $0.feeder as? MesosWatch } }

  // MARK: For people

  /// Names like this one: workloads of the framework, else frameworks.
  func nearNames(framework: String, name: String, limit: Int) -> [(framework: String, name: String)] {
    let known = model.frameworks.values.filter { $0.name == framework }
    if !known.isEmpty {
      let candidates = known.lazy.flatMap(\.workloads.keys)
      return MeshBase.nearNames(to: name, among: candidates, limit: limit).map { (framework, $0) }
    }
    let names = model.frameworks.values.compactMap(\.name)
    return MeshBase.nearNames(to: framework, among: names, limit: limit).map { ($0, name) }
  }

  /// VIPs like this one, as `name.framework`.
  func nearVips(_ host: String, limit: Int) -> [VipKey] {
    let near = MeshBase.nearNames(to: host, among: model.vips.lazy.map(\.hostText), limit: limit)
    return near.compactMap { text in model.vips.first { $0.hostText == text } }
  }

  /// Facts of the cluster and its source, in a fixed order.
  var facts: [(name: String, value: String)] {
    let now = Clock.now
    func age(_ instant: MonotonicInstant?) -> String {
      instant.map { "\(now.nanoseconds(since: $0) / 1_000_000)" } ?? "never"
    }
    var waiting = 0
    for framework in model.frameworks.values {
      for task in framework.tasks.values where task.isWaiting { waiting += 1 }
    }
    var facts: [(name: String, value: String)] = [
      ("masters", leaders.description), ("master", feed.host.map { "\($0)" } ?? ""), ("mode", feed.mode.rawValue),
      ("frameworks", "\(model.frameworks.count)"), ("agents", "\(model.agents.count)"),
      ("tasks", "\(model.taskCount)"), ("waitingTasks", "\(waiting)"),
      ("snapshots", "\(feed.snapshots)"), ("events", "\(feed.events)"), ("connections", "\(feed.connections)"),
      ("snapshotAgeMilliseconds", age(feed.lastSnapshot)), ("heardAgeMilliseconds", age(feed.lastHeard)),
    ]
    if model.unknownUpdateCount > 0 { facts.append(("updatesOfUnknownTasks", "\(model.unknownUpdateCount)")) }
    if feed.malformed > 0 {
      facts.append(("malformed", "\(feed.malformed)"))
      facts.append(("lastMalformed", feed.lastMalformed.map { "\($0)" } ?? ""))
    }
    if model.isHolding { facts.append(("holding", "true")) }
    return facts
  }

  var lastError: String? { feed.failure?.text ?? leaders.lastError }
}

/// What a name is about.
enum MesosQuery: Hashable {
  case service(framework: String, name: String, port: MesosPortChoice)
  case vip(VipKey)
  case dns(MesosDnsName, port: MesosPortChoice)

  /// Changes that may change the answer.
  var interests: [MesosInterest] {
    switch self {
    case .service(let framework, let name, _):
      return [.service(label: DnsText.label(name), framework: DnsText.labels(framework))]
    case .vip(let key): return [.vip(key)]
    case .dns(let name, _):
      if let task = name.task { return [.service(label: task, framework: name.body)] }
      // Where the task ends and the framework begins is not said.
      var interests: [MesosInterest] = []
      for place in name.body.indices where name.body[place] == "." {
        let (task, rest) = (name.body[..<place], String(name.body[name.body.index(after: place)...]))
        interests.append(.service(label: DnsText.label(task), framework: rest))
        guard let single = MesosTaskName(task) else { continue }
        interests.append(.service(label: DnsText.label(single.base), framework: rest))
      }
      return interests
    }
  }
}

enum MesosInterest: Hashable {
  /// Both as mesos-dns mangles them.
  case service(label: String, framework: String)
  case vip(VipKey)
}

/// Keeps one source up to date with what the model knows.
@ControlActor
final class MesosWatch {
  let query: MesosQuery
  private weak var source: EndpointSource?
  private let model: MesosModel

  init(_ query: MesosQuery, _ source: EndpointSource, model: MesosModel) {
    self.query = query
    self.source = source
    self.model = model
  }

  func update(failure: EndpointSource.Failure?) {
    guard model.isComplete else {
      if let failure { source?.fail(failure.text) }
      return
    }
    // A failure goes on: when it began stays.
    source?.publish(answer, partialFailure: failure?.text)
  }

  func fail(_ text: String) { source?.fail(text) }

  private var answer: EndpointSet {
    let backends =
      switch query {
      case .service(let framework, let name, let port):
        model.backends(model.workloads(framework: framework, name: name), port: port)
      case .vip(let key): model.backends(of: key)
      case .dns(let name, let port): model.backends(name, port: port)
      }
    // Without any, the alternatives that a dtab has behind it are in force.
    return backends.isEmpty ? .neg : .bound(MesosBackend.endpoints(backends))
  }
}
