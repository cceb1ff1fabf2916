import MeshBase
import Net
import TestSupport

/// Requests to a router at a steady pace, each checked. The tasks of a simulated cluster say which version they are.
@ControlActor
final class ClusterLoad {
  private let client: ControlHTTPClient
  private let service: String
  private var task: Task<Void, Never>?
  private var inProgress = 0
  private static let inProgressMax = 64
  private(set) var answered = 0
  private(set) var failures: [String] = []
  /// Answers by the version of the task that gave them.
  private(set) var versions: [String: Int] = [:]

  init(_ router: Router, service: String, requestsPerSecond: UInt64) {
    var options = ControlHTTPClient.Options()
    options.idleConnectionsMax = 16
    client = ControlHTTPClient(to: .loopback(port: UInt16(router.port)), options: options)
    self.service = service
    task = Task { @ControlActor in
      let started = Clock.now
      var sent: UInt64 = 0
      while !Task.isCancelled {
        let due = Clock.now.nanoseconds(since: started) * requestsPerSecond / 1_000_000_000
        while sent < due, inProgress < Self.inProgressMax {
          sent += 1
          send()
        }
        try? await ControlActor.sleep(milliseconds: 5)
      }
    }
  }

  private func send() {
    inProgress += 1
    Task { @ControlActor in
      do {
        let answer = try await client.request("GET", "/", headers: ControlHeaders(["Host": service]))
        if answer.status == 200 {
          answered += 1
          versions[answer.headers["X-Version"] ?? "", default: 0] += 1
        } else {
          failures.append("\(answer.status) \(answer.headers["l5d-err"] ?? answer.text)")
        }
      } catch {
        failures.append("\(error)")
      }
      inProgress -= 1
    }
  }

  /// What happened so far does not count.
  func forget() {
    answered = 0
    failures = []
    versions = [:]
  }

  /// Returns when every request has its answer.
  func stop() async {
    task?.cancel()
    _ = await eventually(withinMilliseconds: 15_000) { inProgress == 0 }
    client.close()
  }
}
