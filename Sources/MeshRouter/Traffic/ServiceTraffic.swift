import Config

/// What is done on purpose to the traffic of one logical name. Exists only where something is configured.
final class ServiceTraffic {
  let requestEdit: HeadEdit?
  let responseEdit: HeadEdit?

  /// `nil`: nothing is.
  init?(_ configuration: Configuration.Service) {
    requestEdit = HeadEdit(configuration.requestHeaders)
    responseEdit = HeadEdit(configuration.responseHeaders)
    if requestEdit == nil && responseEdit == nil { return nil }
  }
}
