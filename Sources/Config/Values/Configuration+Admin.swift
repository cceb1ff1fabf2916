extension Configuration {
  /// The admin server: metrics, dtabs, explanations, shutdown.
  public struct Admin: Sendable, Equatable {
    public var ip = "127.0.0.1"
    public var port = 9_990
    /// A Unix socket to listen on as well.
    public var socketPath: String?
    /// When set, each request must bear `Authorization: Bearer TOKEN`. Never shown.
    public var token: String?
    public var security = Security()
    /// Time active requests get to end after SIGTERM, SIGINT or `POST /admin/shutdown`.
    public var shutdownGraceMilliseconds = 10_000
    /// `nil`: clear text.
    public var tls: ServerTLS?

    public init() {}

    public struct Security: Sendable, Equatable {
      /// Pages for people.
      public var uiEnabled = true
      /// Whatever changes something: shutdown, logging levels, dtabs.
      public var controlEnabled = true
      /// Whatever shows state: metrics, bound names, delegation.
      public var diagnosticsEnabled = true
      /// Regular expressions for paths which are served whatever the three switches say.
      public var pathWhitelist: [String] = []
      /// Regular expressions for paths which are refused; stronger than everything else.
      public var pathBlacklist: [String] = []

      public init() {}
    }
  }
}
