extension Configuration.Namer {
  /// Services as Consul knows them.
  public struct Consul: Sendable, Equatable {
    public var host = "localhost"
    public var port = 8_500
    public var includeTag = false
    public var useHealthCheck = false
    public var healthStatuses = [HealthStatus.passing]
    public var token: String?
    public var setHost = false
    public var consistencyMode = Consistency.default
    public var preferServiceAddress = true
    public var weights: [TagWeight] = []
    public var tls: Configuration.ClusterTLS?

    public init() {}

    public enum HealthStatus: String, Sendable, CaseIterable {
      case passing, warning, critical, maintenance
    }

    public enum Consistency: String, Sendable, CaseIterable {
      case `default`, stale, consistent
    }

    public struct TagWeight: Sendable, Equatable {
      public var tag = ""
      public var weight = 1.0

      public init() {}
    }
  }
}
