import Config
import HTTP
import MeshBase

/// What the ring balancers of a router hash of a request: a header's value, or the caller's address for requests
/// without it.
///
/// The seed is fixed, so that all workers and all routers of a fleet send equal keys to the same endpoint.
struct RingKeys {
  /// Different headers, in small letters; `nil`: the caller's address whatever the request.
  private var headers: [String?] = []
  private var names: [HeaderName?] = []

  init(_ balancers: [Configuration.LoadBalancer]) {
    for case .ring(let ring) in balancers.map(\.kind) {
      let header = ring.hashHeader?.lowercased()
      if headers.contains(header) { continue }
      headers.append(header)
      names.append(header.map { HeaderName($0) })
    }
  }

  /// No balancer needs anything hashed.
  var isEmpty: Bool { names.isEmpty }

  /// Which of the hashes the balancer needs; 0 if it needs none.
  func index(of balancer: Configuration.LoadBalancer) -> Int {
    guard case .ring(let ring) = balancer.kind else { return 0 }
    return headers.firstIndex(of: ring.hashHeader?.lowercased()) ?? 0
  }

  /// Of the request, in the order of the keys; there is at least one.
  func hashes(_ request: inout RequestHead, _ head: UnsafeRawBufferPointer, peer: SocketAddress?) -> RingHashes {
    var hashes = RingHashes()
    hashes.first = hash(names[0], &request, head, peer)
    if names.count > 1 { hashes.others = names.dropFirst().map { hash($0, &request, head, peer) } }
    return hashes
  }

  private func hash(
    _ header: HeaderName?, _ request: inout RequestHead, _ head: UnsafeRawBufferPointer, _ peer: SocketAddress?
  ) -> UInt64 {
    if let header, let value = header.value(&request, head), value.count > 0 { return byteHash(value, seed: Self.seed) }
    guard let peer else { return 0 }
    var words = (peer.high, peer.low)
    return withUnsafeBytes(of: &words) { byteHash($0, seed: Self.seed) }
  }

  private static let seed: UInt64 = 0x6d65_7368_7269_6e67
}

/// The hashes of one request; only routers with several keys for rings have more than one.
struct RingHashes {
  fileprivate(set) var first: UInt64 = 0
  fileprivate(set) var others: [UInt64] = []

  @inline(__always)
  subscript(index: Int) -> UInt64 { index == 0 ? first : others[index - 1] }
}
