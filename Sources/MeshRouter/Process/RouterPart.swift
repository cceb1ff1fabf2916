import Config
import Net

/// One router in force, with what belongs to it on the control thread.
@ControlActor
struct RouterPart {
  let configuration: Configuration.Router
  let control: RouterControl
  let table: RouterTable
  /// In the order of the configuration.
  var servers: [BoundServer]
  let accessLog: AccessLogWriter?
  /// The number of the router that it took over from.
  let predecessor: Int?
  /// Its `rateLimits`, with what all workers share of them.
  var rates: [PlannedRate] = []

  /// On the workers.
  var index: Int { control.index }

  /// Whether the workers' router can go on as it is.
  func keepsRuntime(_ new: Configuration.Router) -> Bool {
    configuration.beyondDtabAndServers == new.beyondDtabAndServers
  }
}
