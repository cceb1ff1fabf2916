extension Configuration {
  /// How the servers of a cluster manager are spoken to with TLS.
  public struct ClusterTLS: Sendable, Equatable {
    public var enabled = true
    /// What a server's certificate must be for; `nil`: the name or address that is asked.
    public var commonName: String?
    public var terms = TLSTerms()

    public init() {}
  }

  /// Who the router says it is to a cluster manager; one way at most.
  public struct ClusterAuth: Sendable, Equatable {
    public var user: String?
    public var password: String?
    public var token: String?
    public var tokenFile: String?
    /// A file with the JSON of a DC/OS service account.
    public var serviceAccountFile: String?

    public init() {}
  }
}
