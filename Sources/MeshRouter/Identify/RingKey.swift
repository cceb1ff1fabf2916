import Config
import HTTP
import MeshBase

/// What the ring balancers of a router hash of a request: the value of a header or of a cookie, or the caller's address
/// for requests without it.
///
/// The seed is fixed, so that all workers and all routers of a fleet send equal keys to the same endpoint.
struct RingKeys {
  private enum Source: Equatable {
    /// The caller's address whatever the request.
    case peer
    /// In small letters.
    case header(String)
    case cookie(String)

    init(_ ring: Configuration.LoadBalancer.Ring) {
      if let cookie = ring.hashCookie {
        self = .cookie(cookie)
      } else if let header = ring.hashHeader {
        self = .header(header.lowercased())
      } else {
        self = .peer
      }
    }
  }

  private struct Key {
    /// `nil`: the address.
    var header: HeaderName?
    /// Within the header's value; `nil`: the whole of it.
    var cookie: [UInt8]?
  }

  /// All different.
  private var sources: [Source] = []
  private var keys: [Key] = []

  init(_ balancers: [Configuration.LoadBalancer]) {
    for case .ring(let ring) in balancers.map(\.kind) {
      let source = Source(ring)
      if sources.contains(source) { continue }
      sources.append(source)
      switch source {
      case .peer: keys.append(Key())
      case .header(let name): keys.append(Key(header: HeaderName(name)))
      case .cookie(let name): keys.append(Key(header: HeaderName("Cookie"), cookie: Array(name.utf8)))
      }
    }
  }

  /// No balancer needs anything hashed.
  var isEmpty: Bool { keys.isEmpty }

  /// Which of the hashes the balancer needs; 0 if it needs none.
  func index(of balancer: Configuration.LoadBalancer) -> Int {
    guard case .ring(let ring) = balancer.kind else { return 0 }
    return sources.firstIndex(of: Source(ring)) ?? 0
  }

  /// Of the request, in the order of the keys; there is at least one.
  func hashes(_ request: inout RequestHead, _ head: UnsafeRawBufferPointer, peer: SocketAddress?) -> RingHashes {
    var hashes = RingHashes()
    hashes.first = hash(keys[0], &request, head, peer)
    if keys.count > 1 { hashes.others = keys.dropFirst().map { hash($0, &request, head, peer) } }
    return hashes
  }

  private func hash(
    _ key: Key, _ request: inout RequestHead, _ head: UnsafeRawBufferPointer, _ peer: SocketAddress?
  ) -> UInt64 {
    if let header = key.header, let value = header.value(&request, head),
      let part = key.cookie.map({ CookiePairs.value(of: $0, in: value) }) ?? value, part.count > 0
    {
      return byteHash(part, seed: Self.seed)
    }
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
