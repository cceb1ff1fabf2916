import MeshBase

/// Hashes that are the same in every worker, process and host, so that rings agree; Swift's own are seeded per process.
enum StableHash {
  /// MurmurHash3's 64-bit finaliser: every input bit flips each output bit with probability near one half.
  @inline(__always)
  static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 33)) &* 0xff51_afd7_ed55_8ccd
    z = (z ^ (z >> 33)) &* 0xc4ce_b9fe_1a85_ec53
    return z ^ (z >> 33)
  }

  static func of(_ address: SocketAddress) -> UInt64 {
    let place = UInt64(address.port) << 1 | (address.isIPv4 ? 1 : 0)
    return mix(mix(mix(address.high &+ 0x9e37_79b9_7f4a_7c15) ^ address.low) ^ place)
  }

  static func point(_ addressHash: UInt64, replica: Int) -> UInt64 {
    mix(addressHash &+ UInt64(replica + 1) &* 0x9e37_79b9_7f4a_7c15)
  }
}
