import Config
import HTTP
import MeshBase

/// What a ring balancer hashes of a request: a header's value, or the caller's address for requests without it.
///
/// The seed is fixed, so that all workers and all routers of a fleet send equal keys to the same endpoint.
struct RingKey {
  private let header: HeaderName?

  init?(_ kind: Configuration.LoadBalancer.Kind) {
    guard case .ring(let ring) = kind else { return nil }
    header = ring.hashHeader.map { HeaderName($0) }
  }

  func hash(_ request: inout RequestHead, _ head: UnsafeRawBufferPointer, peer: SocketAddress?) -> UInt64 {
    if let header, let value = header.value(&request, head), value.count > 0 { return byteHash(value, seed: Self.seed) }
    guard let peer else { return 0 }
    var words = (peer.high, peer.low)
    return withUnsafeBytes(of: &words) { byteHash($0, seed: Self.seed) }
  }

  private static let seed: UInt64 = 0x6d65_7368_7269_6e67
}
