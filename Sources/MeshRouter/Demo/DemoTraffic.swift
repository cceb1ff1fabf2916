import MeshBase
import Net

/// Requests to the demo's services through its router, at a steady pace, so that there is something to see.
@ControlActor
public final class DemoTraffic {
  public typealias Answer = Result<ControlClientResponse, ControlHTTPError>

  private let client: ControlHTTPClient
  private let service: @ControlActor () -> String
  private let took: @ControlActor (Answer) -> Void
  private var inProgress = 0

  /// Beyond this the router is slower than the pace, and requests are left out.
  private static let inProgressMax = 64

  /// - Parameters:
  ///   - service: draws whom the next request asks for.
  ///   - took: is told what came of each request.
  init(
    to router: SocketAddress, service: @escaping @ControlActor () -> String,
    took: @escaping @ControlActor (Answer) -> Void
  ) {
    var options = ControlHTTPClient.Options()
    options.idleConnectionsMax = 8
    client = ControlHTTPClient(to: router, options: options)
    self.service = service
    self.took = took
  }

  /// To the services of `Demo`.
  public convenience init(to router: SocketAddress) {
    var random = SeededRandom(seed: Clock.now.nanoseconds)
    // What fails is seen in the metrics, which is what this is for.
    self.init(to: router, service: { Self.draw(&random) }, took: { _ in })
  }

  private static func draw(_ random: inout SeededRandom) -> String {
    let draw = random.unit()
    return draw < 0.7 ? "web" : draw < 0.85 ? "slow" : "flaky"
  }

  /// Goes on until the router drains; returns when every request has its answer.
  public func run(requestsPerSecond: Int, until ends: @ControlActor () -> Bool) async {
    let started = Clock.now
    var sent: UInt64 = 0
    while !ends() {
      let due = Clock.now.nanoseconds(since: started) * UInt64(requestsPerSecond) / 1_000_000_000
      while sent < due {
        sent += 1
        if inProgress < Self.inProgressMax { send() }
      }
      try? await ControlActor.sleep(milliseconds: 20)
    }
    while inProgress > 0 { try? await ControlActor.sleep(milliseconds: 5) }
    client.close()
  }

  private func send() {
    let name = service()
    inProgress += 1
    Task { @ControlActor in
      do throws(ControlHTTPError) {
        let headers = ControlHeaders(["Host": name, "User-Agent": "demo"])
        took(.success(try await client.request("GET", "/", headers: headers)))
      } catch {
        took(.failure(error))
      }
      inProgress -= 1
    }
  }
}
