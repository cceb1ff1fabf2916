extension Configuration {
  /// A namer at `/#<prefix>`.
  public struct Namer: Sendable, Equatable {
    /// Begins with `/`, without the leading `/#`; by default `/` and the kind.
    public var prefix: String
    public var kind: Kind
    /// Applied in order to what the namer binds.
    public var transformers: [Transformer] = []

    public enum Kind: Sendable, Equatable {
      case fs(Fs)
      case rewrite(Rewrite)
      case `static`(Static)
      case dnssrv(DnsService)
      case serversets(ZooKeeper)
      case zkLeader(ZooKeeper)
      case consul(Consul)
      case kubernetes(Kubernetes)
      case kubernetesNamespace(Kubernetes)
      case kubernetesExternal(Kubernetes)
      case mesos(Mesos)
      case vip(Vip)
      case mesosDns(MesosDns)
      case marathon(Marathon)
    }

    public init(prefix: String, kind: Kind, transformers: [Transformer] = []) {
      self.prefix = prefix
      self.kind = kind
      self.transformers = transformers
    }

    /// Endpoints from the files of a directory, watched.
    public struct Fs: Sendable, Equatable {
      public var rootDirectory = ""
      /// Look at the files this often as well, for file systems which do not tell of changes; `nil`: never.
      public var pollIntervalMilliseconds: Int?

      public init() {}
    }

    /// One name out of another by pattern.
    public struct Rewrite: Sendable, Equatable {
      /// Segments may be `*` or hold `{variable}` captures.
      public var pattern = ""
      /// A path which may use the captures.
      public var name = ""

      public init() {}
    }

    /// Endpoints written into the configuration.
    public struct Static: Sendable, Equatable {
      /// In the order of the file; a name is one or more labels joined by `/`.
      public var names: [Entry] = []

      public init() {}

      public struct Entry: Sendable, Equatable {
        public var name: String
        public var endpoints: [StaticEndpoint]

        public init(name: String, endpoints: [StaticEndpoint]) {
          self.name = name
          self.endpoints = endpoints
        }
      }
    }
  }

  /// `HOST PORT` or `HOST PORT * WEIGHT`, as in the files of `io.l5d.fs`.
  public struct StaticEndpoint: Sendable, Equatable {
    /// A literal address or a host name, without brackets.
    public var host: String
    public var port: UInt16
    /// Finite and not negative.
    public var weight: Double

    public init(host: String, port: UInt16, weight: Double = 1) {
      self.host = host
      self.port = port
      self.weight = weight
    }
  }

  /// A change made to what a namer or an interpreter has bound.
  public enum Transformer: Sendable, Equatable {
    /// Replaces the port of each endpoint.
    case port(Int)
    /// Keeps the endpoints of this host.
    case localhost
    /// Keeps the endpoints of the host with this address.
    case specificHost(String)
    /// Ignores the bound name and binds this path instead.
    case const(String)
    /// Binds this path in place of each bound leaf; negative results stay.
    case replace(String)
  }
}
