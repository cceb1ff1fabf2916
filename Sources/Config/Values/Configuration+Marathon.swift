extension Configuration {
  /// Apps of a Marathon.
  public struct Marathon: Sendable, Equatable {
    /// linkerd's: one host, or a name in front of several.
    public var host = "marathon.mesos"
    public var port = 80
    /// Ours: several, each `host:port`, or one `zk://` address; take the place of `host` and `port` where there are any.
    public var hosts: [String] = []
    /// `USER:PASSWORD` for ZooKeeper.
    public var zooKeeperAuth: String?
    /// linkerd's: a name of other namers whose endpoints are Marathon's.
    public var destination: String?
    public var uriPrefix = ""
    public var mode = Mode.lazy
    public var ttlMilliseconds = 5_000
    public var jitterMilliseconds = 50
    /// linkerd's: `true` is the policy strict, `false` off.
    public var useHealthCheck: Bool?
    public var health: Health?
    public var eventSilenceMilliseconds = 45_000
    public var tls: ClusterTLS?
    public var auth: ClusterAuth?

    public init() {}

    public enum Mode: String, Sendable, CaseIterable { case lazy, eager, poll }
    public enum Health: String, Sendable, CaseIterable { case off, fresh, strict, any }

    public var healthPolicy: Health { health ?? useHealthCheck.map { $0 ? .strict : .off } ?? .fresh }
  }
}
