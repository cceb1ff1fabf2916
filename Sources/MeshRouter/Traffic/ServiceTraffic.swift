import Config

/// What is done on purpose to the traffic of one logical name. Exists only where something is configured.
final class ServiceTraffic {
  let requestEdit: HeadEdit?
  let responseEdit: HeadEdit?
  let faults: FaultPlan?
  let mirror: MirrorPlan?

  /// `nil`: nothing is.
  init?(_ configuration: Configuration.Service) {
    requestEdit = HeadEdit(configuration.requestHeaders)
    responseEdit = HeadEdit(configuration.responseHeaders)
    faults = FaultPlan(configuration.faults)
    mirror = MirrorPlan(configuration.mirror)
    if requestEdit == nil && responseEdit == nil && faults == nil && mirror == nil { return nil }
  }
}
