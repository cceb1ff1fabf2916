import Config

/// What is done on purpose to the traffic of one bound name. Exists only where something is configured.
final class ClientTraffic {
  let requestEdit: HeadEdit?
  let responseEdit: HeadEdit?
  let sticky: StickyCookie?

  /// `nil`: nothing is.
  init?(_ configuration: Configuration.Client) {
    requestEdit = HeadEdit(configuration.requestHeaders)
    responseEdit = HeadEdit(configuration.responseHeaders)
    sticky = StickyCookie(configuration.stickyCookie)
    if requestEdit == nil && responseEdit == nil && sticky == nil { return nil }
  }
}
