import MeshBase
import Net

/// One service in use: asks with blocking queries, each of which Consul answers when something has changed, and feeds the
/// endpoints.
///
/// A failure keeps what was known. A service without instances that count is `neg`.
@ControlActor
final class ConsulService {
  struct Key: Hashable {
    /// `nil`: that of the agent.
    var datacenter: String?
    var tag: String?
    var name: String
  }

  /// Consul answers after this at the latest, plus a sixteenth of it, if nothing has changed.
  static let waitSeconds: UInt64 = 60
  /// Beyond that: nobody is there any more.
  private static let answerMilliseconds: UInt64 = (waitSeconds + waitSeconds / 16 + 10) * 1_000
  /// Between two questions, however fast the answers come.
  private static let paceMilliseconds: UInt64 = 100
  /// Between questions to a server that does not let us wait.
  private static let pollMilliseconds: UInt64 = 5_000

  private let key: Key
  private let options: ConsulNamer.Options
  private let endpoints: HostEndpoints
  private weak var source: EndpointSource?
  private var task: Task<Void, Never>?
  /// 0: ask at once.
  private var index: UInt64 = 0
  private var asked = Clock.now
  private var delay: ReconnectDelay
  private var random = SeededRandom(seed: .random(in: 0 ... .max))
  /// Called when the service turns out not to be there.
  private let onAbsence: @ControlActor () -> Void

  init(
    _ key: Key, options: ConsulNamer.Options, client: ClusterClient, agent: ConsulAgent?, resolver: Resolver,
    _ source: EndpointSource, onAbsence: @escaping @ControlActor () -> Void
  ) {
    self.key = key
    self.options = options
    self.source = source
    self.onAbsence = onAbsence
    delay = options.delay
    endpoints = HostEndpoints(source, resolver: resolver, emptyIsNeg: true)
    task = Task { @ControlActor [weak self] in
      while !Task.isCancelled {
        guard let request = self?.nextRequest() else { return }
        var answer: Result<ClusterResponse, ClusterError>
        do throws(ClusterError) {
          if let agent {
            let authority = try await agent.facts().authority(of: key)
            self?.source?.ownAuthority = authority
          }
          answer = .success(try await client.request(request))
        } catch {
          answer = .failure(error)
        }
        guard !Task.isCancelled, let milliseconds = self?.received(answer, request) else { return }
        if milliseconds > 0 { try? await ControlActor.sleep(milliseconds: milliseconds) }
      }
    }
  }

  isolated deinit { task?.cancel() }

  private func nextRequest() -> ClusterRequest {
    asked = Clock.now
    var query = options.query(datacenter: key.datacenter)
    if let tag = key.tag { query.append("tag=" + ControlQuery.encodeComponent(tag)) }
    if index > 0 { query += ["index=\(index)", "wait=\(Self.waitSeconds)s"] }
    let path = "/v1/health/service/" + ControlQuery.encodeComponent(key.name)
    return ClusterRequest(
      query.isEmpty ? path : path + "?" + query.joined(separator: "&"), headers: options.headers,
      responseMilliseconds: index > 0 ? Self.answerMilliseconds : nil)
  }

  /// Milliseconds until the next question.
  private func received(_ answer: Result<ClusterResponse, ClusterError>, _ request: ClusterRequest) -> UInt64 {
    do throws(ClusterError) {
      let response = try answer.get()
      if response.status == 500, Self.isUnknownDatacenter(response) {
        // As certain as an answer gets: the name can go on to an alternative.
        index = 0
        source?.publish(.neg)
        return delay.next(using: &random)
      }
      let good = try response.requireSuccess(request)
      let instances: [ConsulInstance]
      do throws(JSONError) {
        instances = try ConsulInstance.list(good.body)
      } catch {
        throw ClusterError(.malformed, "GET \(good.host)\(request.path): \(error)")
      }
      delay.reset()
      publish(instances)
      return pace(next(good.headers["X-Consul-Index"].flatMap { UInt64($0) }))
    } catch {
      index = 0
      endpoints.sourceFailure = error.description
      source?.fail(error.description)
      return delay.next(using: &random)
    }
  }

  /// The rules for indexes of Consul's documentation: one that goes backwards begins anew, and 0 is never asked for.
  private func next(_ answered: UInt64?) -> Bool {
    guard let answered else {
      index = 0
      return false
    }
    index = answered < index ? 0 : max(1, answered)
    return true
  }

  private func pace(_ canWait: Bool) -> UInt64 {
    if !canWait { return Self.pollMilliseconds }
    let took = Clock.now.nanoseconds(since: asked) / 1_000_000
    return took < Self.paceMilliseconds ? Self.paceMilliseconds - took : 0
  }

  private static func isUnknownDatacenter(_ response: ClusterResponse) -> Bool {
    String(decoding: response.body.prefix(200), as: UTF8.self).contains("No path to datacenter")
  }

  private func publish(_ instances: [ConsulInstance]) {
    let entries = instances.compactMap(options.entry)
    endpoints.sourceFailure = nil
    endpoints.entries = entries
    if entries.isEmpty { onAbsence() }
  }
}
