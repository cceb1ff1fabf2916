import MeshBase
import Net

/// Requests to the demo's services through its router, at a steady pace, so that there is something to see.
@ControlActor
public final class DemoTraffic {
  private let client: ControlHTTPClient
  private var random = SeededRandom(seed: Clock.now.nanoseconds)
  private var inProgress = 0

  /// Beyond this the router is slower than the pace, and requests are left out.
  private static let inProgressMax = 64

  public init(to router: SocketAddress) {
    var options = ControlHTTPClient.Options()
    options.idleConnectionsMax = 8
    client = ControlHTTPClient(to: router, options: options)
  }

  /// Goes on until the task is cancelled.
  public func run(requestsPerSecond: Int) async {
    let started = Clock.now
    var sent: UInt64 = 0
    while !Task.isCancelled {
      let due = Clock.now.nanoseconds(since: started) * UInt64(requestsPerSecond) / 1_000_000_000
      while sent < due {
        sent += 1
        if inProgress < Self.inProgressMax { send() }
      }
      try? await ControlActor.sleep(milliseconds: 20)
    }
    client.close()
  }

  private func send() {
    let draw = random.unit()
    let name = draw < 0.7 ? "web" : draw < 0.85 ? "slow" : "flaky"
    inProgress += 1
    Task { @ControlActor in
      // What fails is seen in the metrics, which is what this is for.
      _ = try? await client.request("GET", "/", headers: ControlHeaders(["Host": name, "User-Agent": "demo"]))
      inProgress -= 1
    }
  }
}
