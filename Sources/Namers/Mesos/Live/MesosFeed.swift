import HTTP
import Logging
import MeshBase
import Net

/// Keeps a model up to date from the leading master: by its stream of events, or by asking for `/state` where there is no
/// such stream. When the master is away the model stays as it is.
@ControlActor
final class MesosFeed {
  /// How the master is asked at present.
  enum Mode: String {
    case subscribe, state
  }

  let model: MesosModel
  private let options: MesosCluster.Options
  private let client: ClusterClient
  private let masters: MesosMasters
  private let log: Logger
  private var delay: ReconnectDelay
  private var random: SeededRandom
  private var task: Task<Void, Never>?
  private var stream: ClusterStream?
  private var token: ObservationToken?
  private var isStopped = false
  /// A new snapshot is wanted: the stream ends, and there is no wait before the next.
  private var wantsSnapshot = false
  private lazy var expiry = ControlTimer { [weak self] in self?.expire() }
  private lazy var snapshotTimer = ControlTimer { [weak self] in self?.renewSnapshot() }
  private lazy var wake = ControlTimer { [weak self] in self?.awake() }
  private var sleeper: CheckedContinuation<Void, Never>?

  /// Called when the model may have changed, or the source begins to fail or to be well.
  var onChange: (@ControlActor () -> Void)?

  private(set) var mode = Mode.subscribe
  /// The master that answers.
  private(set) var host: ClusterHost?
  private(set) var failure: EndpointSource.Failure?
  private(set) var lastSnapshot: MonotonicInstant?
  private(set) var lastHeard: MonotonicInstant?
  private(set) var snapshots: UInt64 = 0
  private(set) var events: UInt64 = 0
  private(set) var malformed: UInt64 = 0
  private(set) var lastMalformed: JSONError?
  private(set) var connections: UInt64 = 0
  /// SUBSCRIBE is not tried again before: this master does not know it.
  private var pollsUntil: MonotonicInstant?

  /// A stream is dead when nothing was heard for so many of the intervals that the master announced.
  static let heartbeatsMissed: UInt64 = 3
  /// Agents that have not come back after a master failover get ten minutes from the master; then it is asked again.
  static let recoveredMilliseconds: UInt64 = 660_000
  /// How soon a snapshot that lacks too much is asked for again.
  static let doubtMilliseconds: UInt64 = 15_000
  /// How long a master without the operator API is polled before it is asked for it again.
  static let pollsMilliseconds: UInt64 = 600_000

  init(model: MesosModel, options: MesosCluster.Options, masters: MesosMasters, client: ClusterClient) {
    self.model = model
    self.options = options
    self.masters = masters
    self.client = client
    log = Logger(label: "namer.mesos")
    delay = ReconnectDelay(
      firstMilliseconds: options.firstDelayMilliseconds, longestMilliseconds: options.longestDelayMilliseconds)
    random = SeededRandom(seed: UInt64.random(in: .min ... .max))
  }

  func start() {
    guard task == nil, !isStopped else { return }
    token = masters.observe { [weak self] in self?.mastersChanged() }
    task = Task { @ControlActor in await self.run() }
  }

  /// For good.
  func stop() {
    isStopped = true
    token = nil
    onChange = nil
    expiry.cancel()
    snapshotTimer.cancel()
    task?.cancel()
    stream?.close()
    awake()
    client.close()
  }

  /// The stream's master leads no more, or there is a master at last.
  private func mastersChanged() {
    if let stream, !masters.source.hosts.isEmpty, !masters.source.hosts.contains(stream.host) {
      log.info("mesos: the leader is another one now", metadata: ["masters": "\(masters.source.hosts)"])
      masters.leads(nil, isSecure: false)
      client.forgetLastGood()
      renewSnapshot()
    } else if stream == nil {
      awake()
    }
  }

  private func renewSnapshot() {
    wantsSnapshot = true
    stream?.close()
    awake()
  }

  // MARK: The loop

  private func run() async {
    while !isStopped {
      let began = Clock.now
      do throws(ClusterError) {
        if pollsUntil.map({ $0 > began }) ?? false || options.mode == .state {
          try await poll()
          delay.reset()
          if !wantsSnapshot { await sleep(milliseconds: jittered(options.pollMilliseconds)) }
        } else {
          try await subscribe()
          if isStopped { return }
          if !wantsSnapshot {
            throw ClusterError(.unreachable, "\(place("POST", "/api/v1")): the master ended the stream")
          }
        }
      } catch {
        stream = nil
        if isStopped { return }
        if wantsSnapshot {
          wantsSnapshot = false
          continue
        }
        fail("\(error)")
        delay.ended(afterMilliseconds: Clock.now.nanoseconds(since: began) / 1_000_000)
        await sleep(milliseconds: delay.next(using: &random))
      }
      wantsSnapshot = false
    }
  }

  private func jittered(_ milliseconds: UInt64) -> UInt64 {
    UInt64(Double(milliseconds) * (0.8 + 0.4 * random.unit()))
  }

  private func sleep(milliseconds: UInt64) async {
    if isStopped { return }
    wake.set(milliseconds: max(1, milliseconds))
    await withCheckedContinuation { sleeper = $0 }
  }

  private func awake() {
    wake.cancel()
    let sleeper = sleeper
    self.sleeper = nil
    sleeper?.resume()
  }

  private func fail(_ text: String) {
    if failure == nil { log.warning("mesos: \(text); what is known stays in force") }
    failure = EndpointSource.Failure(text: text, since: failure?.since ?? Clock.now)
    onChange?()
  }

  private func isWell() {
    if failure != nil { log.info("mesos: \(host.map { "\($0)" } ?? "the master") answers again") }
    failure = nil
    lastSnapshot = Clock.now
    snapshots += 1
    onChange?()
  }

  // MARK: SUBSCRIBE

  private func subscribe() async throws(ClusterError) {
    var request = ClusterRequest("POST", options.pathPrefix + "/api/v1", body: Array(#"{"type":"SUBSCRIBE"}"#.utf8))
    request.headers.add("Content-Type", "application/json")
    request.headers.add("Accept", "application/json")
    // Packed events would wait in somebody's buffer.
    request.headers.add("Accept-Encoding", "identity")
    let stream = try await client.open(request)
    defer {
      stream.close()
      self.stream = nil
    }
    if isStopped || wantsSnapshot { return }
    guard stream.status == 200 else {
      let text = "\(place("POST", "/api/v1", at: stream.host)): \(stream.status)"
      if [400, 404, 405, 406, 415, 501].contains(stream.status), options.mode == nil {
        log.notice("mesos: \(text): this master has no operator API: it is asked for /state from time to time")
        pollsUntil = Clock.now.advanced(byMilliseconds: Self.pollsMilliseconds)
        wantsSnapshot = true
        return
      }
      throw ClusterError(.status(stream.status), "\(text): \(ClusterError.remedy(stream.status))")
    }
    self.stream = stream
    mode = .subscribe
    host = stream.host
    connections += 1
    stream.isEndless = true
    stream.pieceMilliseconds = options.snapshotMilliseconds
    var reader = MesosStreamReader()
    while let piece = try await next(of: stream, reader) {
      let before = reader.snapshotCount
      let malformedBefore = reader.malformedCount
      let eventsBefore = reader.recordCount
      let now = Clock.now
      lastHeard = now
      do throws(MesosStreamError) {
        try reader.feed(piece.span, into: model, at: now)
      } catch {
        throw ClusterError(.malformed, "\(place("POST", "/api/v1", at: stream.host)): \(error)")
      }
      events += reader.recordCount - eventsBefore
      note(malformed: reader.malformedCount - malformedBefore, reader.lastMalformed)
      if reader.snapshotCount > before {
        delay.reset()
        isWell()
        snapshotEnded()
      }
      // The master says how often it says something.
      if reader.snapshotCount > 0 {
        stream.pieceMilliseconds = reader.heartbeatMilliseconds * Self.heartbeatsMissed
      }
      onChange?()
      scheduleExpiry()
    }
  }

  private func next(of stream: ClusterStream, _ reader: MesosStreamReader) async throws(ClusterError) -> [UInt8]? {
    do throws(ClusterError) {
      return try await stream.next()
    } catch {
      if error.cause == .timeout {
        throw ClusterError(
          .timeout,
          "\(place("POST", "/api/v1", at: stream.host)): nothing was heard for "
            + "\((stream.pieceMilliseconds ?? 0) / 1_000) s, though the master promised a sign of life every "
            + "\(reader.heartbeatMilliseconds / 1_000) s")
      }
      throw error
    }
  }

  private func snapshotEnded() {
    snapshotTimer.cancel()
    if model.isHolding {
      log.warning("mesos: \(host.map { "\($0)" } ?? "") lacks more than half of the tasks: it is asked again")
      snapshotTimer.set(milliseconds: jittered(Self.doubtMilliseconds))
    } else if model.hasRecoveredTasks {
      snapshotTimer.set(milliseconds: jittered(Self.recoveredMilliseconds))
    }
  }

  private func note(malformed count: UInt64, _ last: JSONError?) {
    guard count > 0, let last else { return }
    if malformed == 0 { log.warning("mesos: a part of the master's answer cannot be read and is left out: \(last)") }
    malformed += count
    lastMalformed = last
  }

  // MARK: /state

  private func poll() async throws(ClusterError) {
    let request = ClusterRequest("GET", options.pathPrefix + "/state")
    let stream = try await client.open(request)
    defer {
      stream.close()
      self.stream = nil
    }
    if isStopped { return }
    let place = place("GET", "/state", at: stream.host)
    if stream.status != 200 { throw stream.refusal(of: request) }
    self.stream = stream
    mode = .state
    connections += 1
    var reader = MesosStateReader()
    do throws(MesosStateError) {
      while let piece = try await nextPiece(stream) {
        lastHeard = Clock.now
        try reader.feed(piece.span, into: model, at: Clock.now)
      }
      try reader.finish(into: model)
    } catch {
      if case .notLeading(let leader) = error {
        // Old masters answer for themselves: the one that leads is asked next, and at once.
        let isNews = masters.leader == nil
        masters.leads(leader, isSecure: stream.host.isSecure)
        client.forgetLastGood()
        if isNews, masters.leader != nil {
          wantsSnapshot = true
          return
        }
        masters.leads(nil, isSecure: false)
      }
      throw ClusterError(.malformed, "\(place): \(error)")
    }
    host = stream.host
    note(malformed: reader.malformedCount, reader.lastMalformed)
    isWell()
    scheduleExpiry()
  }

  /// An answer that breaks off ends as one that is cut off.
  private func nextPiece(_ stream: ClusterStream) async throws(MesosStateError) -> [UInt8]? {
    do throws(ClusterError) {
      return try await stream.next()
    } catch {
      throw .transport("\(error)")
    }
  }

  private func place(_ method: String, _ path: String, at host: ClusterHost? = nil) -> String {
    "\(method) \((host ?? self.host).map { "\($0)" } ?? "")\(options.pathPrefix)\(path)"
  }

  // MARK: Time

  private func scheduleExpiry() {
    guard let next = model.nextExpiry else { return expiry.cancel() }
    if !expiry.isSet {
      let now = Clock.now
      expiry.set(milliseconds: next > now ? next.nanoseconds(since: now) / 1_000_000 + 1 : 1)
    }
  }

  private func expire() {
    model.expire(at: Clock.now)
    scheduleExpiry()
    onChange?()
  }
}
