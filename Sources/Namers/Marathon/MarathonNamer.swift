import Dtab
import MeshBase
import Net

/// `io.l5d.marathon`: apps by their ids, `/#/io.l5d.marathon/[:port/]<segment>/…`.
///
/// `:port` chooses a port by name, else by index, else by service port; without it the first one is meant. What is left
/// of the path behind an app's id is residual. Ids match in any letter case. An app without an endpoint that takes
/// requests is `neg`, so that an alternation goes on behind it.
@ControlActor
public final class MarathonNamer: Namer {
  public let prefix: Path
  public let kind = "io.l5d.marathon"
  let store: MarathonStore
  private let named: NamedHosts?

  public init(
    prefix: Path = "/#/io.l5d.marathon", client: ClusterClient,
    options: MarathonOptions = MarathonOptions(),
    resolver: Resolver
  ) {
    self.prefix = prefix
    named = client.source as? NamedHosts
    store = MarathonStore(client: client, options: options, resolver: resolver)
  }

  public func joined(_ registry: NamerRegistry) {
    named?.start(registry)
    store.start()
  }

  /// Ends all connections and timers.
  public func stop() { store.stop() }

  public func lookup(_ rest: Path) -> NameLookup {
    let lookup = NameLookup()
    let feeder = MarathonLookup(store, prefix: prefix, rest: rest, lookup: lookup)
    lookup.feeder = feeder
    feeder.update()
    return lookup
  }

  /// All ways to name one port of an app lead to one id: the app's path, in lower case, with the port's index before it
  /// unless that is 0.
  static func boundID(_ prefix: Path, _ app: Path, portIndex: Int) -> Path {
    let port = portIndex == 0 ? [] : [":\(portIndex)"]
    return prefix + Path(labels: port + app.labels.map { $0.text.lowercased() })
  }

  public func nearNames(to rest: Path, limit: Int) -> [Path] {
    var rest = rest
    var head = prefix
    if let first = rest.first, first.bytes.first == UInt8(ascii: ":") {
      head = prefix + rest.prefix(1)
      rest = rest.dropFirst(1)
    }
    let known = store.entries.values.lazy.filter { $0.record != nil }.prefix(nearCandidatesMax)
      .compactMap { try? Path(parsing: $0.id) }
    return nearPaths(to: rest, among: Array(known), limit: limit).map { head + $0 }
  }

  public var failingSince: MonotonicInstant? { store.failure?.since }
  public var lastError: String? { store.failure?.text ?? store.client.source.lastError }

  public func state() -> NamerState {
    let now = Clock.now
    func age(_ instant: MonotonicInstant?) -> String {
      instant.map { "\(now.nanoseconds(since: $0) / 1_000_000) ms ago" } ?? "never"
    }
    let stream: String =
      switch (store.options.mode, store.streamSince) {
      case (.poll, _): "not used"
      case (_, let since?): "connected \(age(since))"
      case (_, nil): "not connected"
      }
    let held = store.entries.values.filter { $0.record != nil }
    var names: [NamerState.Name] = []
    for entry in held {
      guard let path = try? Path(parsing: entry.id) else { continue }
      for (index, source) in entry.liveFeeds {
        names.append(
          NamerState.Name(id: Self.boundID(prefix, path, portIndex: index), source: source))
      }
    }
    let counts = store.counts
    return NamerState(
      kind: kind, prefix: prefix,
      facts: [
        ("source", store.client.source.description), ("mode", store.options.mode.rawValue),
        ("health", store.options.health.rawValue),
        ("lastGoodHost", store.client.lastGood?.description ?? "none"), ("eventStream", stream),
        ("lastByte", age(store.lastByte)), ("lastEvent", age(store.lastEvent)),
        ("lastAnswer", age(store.lastAnswer)),
        ("lastFullSync", age(store.lastSync)), ("apps", String(held.count)),
        ("tasks", String(held.reduce(0) { $0 + ($1.record?.app.tasks.count ?? 0) })),
        ("events", String(counts.events)), ("unknownEvents", String(counts.unknownEvents)),
        ("connects", String(counts.connects)), ("pulls", String(counts.pulls)),
        ("failedPulls", String(counts.failedPulls)), ("pulledBytes", String(counts.pulledBytes)),
        ("fullSyncs", String(counts.syncs)), ("waitingPulls", String(store.queue.count)),
      ],
      lastError: lastError, names: names)
  }
}
