extension Configuration {
  /// One address a router listens on.
  public struct Server: Sendable, Equatable {
    /// A literal address.
    public var ip = "127.0.0.1"
    public var port = 4_140
    /// Strip `l5d-*` and other context headers which a caller sent; by default true unless `ip` is a loopback address.
    public var clearContext = false
    /// Requests in progress, all workers together; beyond: the queue. `nil`: no limit.
    public var maxConcurrentRequests: Int?
    /// Of requests above that; all workers together.
    public var requestQueue = Queue()
    public var rateLimits: [RateLimit] = []
    /// Open connections, all workers together; beyond: closed at once. `nil`: as many as descriptors allow.
    public var maxConnections: Int?
    /// `nil`: no `Forwarded` header is added.
    public var addForwardedHeader: ForwardedHeader?
    /// Name of a request header which gets the time of arrival in milliseconds since 1970.
    public var timestampHeader: String?
    /// Proxies a request may have passed, counted in `Via`; beyond: `loop.via_limit`.
    public var maxCallDepth = 100
    public var socketOptions = SocketOptions()
    public var session = Session(idleTimeMilliseconds: 600_000)
    /// From the first byte of a request to the end of its header.
    public var headerTimeoutMilliseconds = 10_000
    public var allowConnect = false
    public var http2 = HTTP2()
    /// Streams which one HTTP/2 connection may have open.
    public var maxConcurrentStreamsPerConnection = 1_000
    /// `nil`: clear text.
    public var tls: ServerTLS?

    public init() {}

    public struct SocketOptions: Sendable, Equatable {
      public var noDelay = true
      /// TCP keep-alive probes.
      public var keepAlive = false
      /// Connections the kernel may hold before they are accepted.
      public var backlog = 4_096
      public var reuseAddress = true
      /// Accepted for compatibility; each worker's listener sets it anyway.
      public var reusePort = true

      public init() {}
    }

    public struct ForwardedHeader: Sendable, Equatable {
      /// How the router's own address is told.
      public var by = Labeler.requestRandom
      /// How the caller's address is told.
      public var `for` = Labeler.requestRandom

      public init() {}
    }

    /// RFC 7239 §6: an address or an obfuscated name.
    public enum Labeler: Sendable, Equatable {
      case ip
      case ipAndPort
      case connectionRandom
      case requestRandom
      /// The router's label.
      case router
      case `static`(String)
    }
  }

  /// Life of a connection.
  public struct Session: Sendable, Equatable {
    /// Without a request for so long: closed. `nil`: never.
    public var idleTimeMilliseconds: Int?
    /// Closed after its current request once it is so old. `nil`: never.
    public var lifeTimeMilliseconds: Int?
    /// Clients, HTTP/2: with streams open and nothing heard for so long, the peer is asked by a PING. `nil`: never.
    public var keepAliveMilliseconds: Int?
    /// For the PING's answer; then the connection counts as dead.
    public var keepAliveTimeoutMilliseconds = 10_000

    public init(
      idleTimeMilliseconds: Int? = nil, lifeTimeMilliseconds: Int? = nil, keepAliveMilliseconds: Int? = nil
    ) {
      self.idleTimeMilliseconds = idleTimeMilliseconds
      self.lifeTimeMilliseconds = lifeTimeMilliseconds
      self.keepAliveMilliseconds = keepAliveMilliseconds
    }
  }
}
