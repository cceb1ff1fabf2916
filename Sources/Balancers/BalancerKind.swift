/// How a request's endpoint is chosen among those of one bound name.
public enum BalancerKind: Sendable, Equatable {
  /// The cheaper of two random endpoints, where cost is peak-EWMA latency times outstanding requests.
  case p2cEwma(decayMilliseconds: UInt64 = 10_000)
  /// The one of two random endpoints with fewer outstanding requests.
  case p2cLeastLoaded
  /// Each endpoint in turn.
  case roundRobin
  /// Least loaded of two among the first few endpoints; how many follows the load per endpoint in use.
  ///
  /// `lowLoad` and `highLoad` are outstanding requests per endpoint in use, averaged over the window.
  case aperture(
    smoothWindowMilliseconds: UInt64 = 5_000, lowLoad: Double = 0.5, highLoad: Double = 2, minAperture: Int = 1)
  /// Consistent hashing: equal hashes meet the same endpoint for as long as it lives.
  ///
  /// An endpoint of mean weight has about `pointsPerEndpoint` points. `loadBound` above 1 passes an endpoint over which has more than that multiple of its fair share of the
  /// outstanding requests; 0 never does.
  case ring(pointsPerEndpoint: Int = 128, loadBound: Double = 0)
}

/// What the router knows of an endpoint's health; a healthier one wins whatever its load.
public enum EndpointStatus: UInt8, Sendable, BitwiseCopyable, CaseIterable {
  case open
  /// Alive as far as known but not to be chosen now, such as while one probe is out.
  case busy
  case closed
}
