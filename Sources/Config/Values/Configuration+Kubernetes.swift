extension Configuration.Namer {
  /// Services of a Kubernetes cluster.
  public struct Kubernetes: Sendable, Equatable {
    public var host = "localhost"
    public var port = 8_001
    public var labelSelector: String?
    /// Of `io.l5d.k8s.ns`: the environment variable that names the namespace.
    public var envVar = "POD_NAMESPACE"
    public var auth: Configuration.ClusterAuth?
    public var tls: Configuration.ClusterTLS?

    public init() {}
  }
}
