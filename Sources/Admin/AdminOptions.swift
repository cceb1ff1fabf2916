/// Who may ask the admin server for what.
public struct AdminOptions: Sendable {
  /// When set, requests must bear `Authorization: Bearer TOKEN`.
  public var token: String?
  /// Requests that change nothing need no token.
  public var readsNeedNoToken = false
  /// Pages for people.
  public var isUIEnabled = true
  /// Whatever changes something: shutdown, reload, logging levels, dtabs.
  public var isControlEnabled = true
  /// Whatever shows state: metrics, bound names, delegation.
  public var isDiagnosticsEnabled = true
  /// Regular expressions: a path that one matches as a whole is served whatever the three switches say.
  public var pathWhitelist: [String] = []
  /// Regular expressions: a path that one matches anywhere is refused, whatever else holds.
  public var pathBlacklist: [String] = []
  /// Names, beside addresses, `localhost` and this host's own, that browsers may know this server by.
  public var hostNames: [String] = []

  public init() {}
}
