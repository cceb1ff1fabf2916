/// One place a request can be sent to, as a namer reports it.
///
/// Identity is the address; weight and metadata may change while the endpoint stays the same.
public struct Endpoint: Hashable, Sendable {
  public let address: SocketAddress
  /// Relative share among the endpoints of one set; finite and ≥ 0, where 0 means: no new requests.
  public var weight: Double
  /// Facts about the endpoint for people and transformers, such as the node it runs on.
  public var metadata: [String: String]

  public init(_ address: SocketAddress, weight: Double = 1, metadata: [String: String] = [:]) {
    self.address = address
    self.weight = weight
    self.metadata = metadata
  }
}

/// What is known of the endpoints behind one bound name.
public enum EndpointSet: Equatable, Sendable {
  /// Not answered yet.
  case pending
  /// Known, possibly empty.
  case bound([Endpoint])
  /// The source says there is no such thing.
  case neg
  /// The source failed and nothing is known from before; the text is for people.
  case failed(String)

  public var endpoints: [Endpoint] {
    if case .bound(let endpoints) = self { endpoints } else { [] }
  }
}
