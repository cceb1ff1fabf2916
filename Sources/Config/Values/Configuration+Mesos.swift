extension Configuration {
  /// The tasks of a Mesos cluster.
  public struct Mesos: Sendable, Equatable {
    /// Each `host:port`, with `http://` or `https://` in front or without; or one `zk://` address.
    public var masters = ["leader.mesos:5050"]
    /// `USER:PASSWORD` for ZooKeeper.
    public var zooKeeperAuth: String?
    /// A name of other namers whose endpoints are the masters, in place of `masters`.
    public var destination: String?
    public var uriPrefix = ""
    /// `nil`: the event stream, and `/state` where there is none.
    public var mode: Mode?
    public var pollIntervalMilliseconds = 10_000
    public var tls: ClusterTLS?
    public var auth: ClusterAuth?

    public init() {}

    public enum Mode: String, Sendable, CaseIterable { case subscribe, state }
  }

  /// The VIPs of a Mesos cluster.
  public struct Vip: Sendable, Equatable {
    /// The prefix of the Mesos namer that knows the tasks; `nil`: the first there is.
    public var mesos: String?
    /// The prefix of the Marathon namer to share ids with; `nil`: the first there is.
    public var marathon: String?

    public init() {}
  }

  /// The names that mesos-dns serves.
  public struct MesosDns: Sendable, Equatable {
    /// The prefix of the Mesos namer that knows the tasks; `nil`: the first there is.
    public var mesos: String?
    public var domain = "mesos"

    public init() {}
  }
}
