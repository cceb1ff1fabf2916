import Net
import Telemetry

/// Who uses the statistics of one router's services and clients.
///
/// A reload may put another router of the same label beside the one that still serves its last requests; both count
/// into the same scopes, which end with the last user.
@ControlActor
final class RouterScopes {
  let metrics: RouterMetrics
  /// Of the router's `rateLimits`, and of its services'.
  var rateStates = RateStates()
  let nameRates = NameRates()
  private var services: [String: Int] = [:]
  private var clients: [String: Int] = [:]

  init(_ metrics: RouterMetrics) { self.metrics = metrics }

  func enter(service: String) { services[service, default: 0] += 1 }

  func leave(service: String) { if Self.leave(service, &services) { metrics.dropService(service) } }

  func enter(client: String) { clients[client, default: 0] += 1 }

  func leave(client: String) { if Self.leave(client, &clients) { metrics.dropClient(client) } }

  /// True for the last one.
  private static func leave(_ name: String, _ uses: inout [String: Int]) -> Bool {
    let left = (uses[name] ?? 1) - 1
    uses[name] = left > 0 ? left : nil
    return left <= 0
  }
}
