/// xoshiro256** (Blackman, Vigna 2018): fast, seeded, not for secrets.
///
/// Each worker owns one; tests and the simulator seed it and print the seed.
@frozen
public struct SeededRandom: RandomNumberGenerator, Sendable {
  @usableFromInline var s0: UInt64
  @usableFromInline var s1: UInt64
  @usableFromInline var s2: UInt64
  @usableFromInline var s3: UInt64

  /// Expands the seed with SplitMix64, as the authors advise, so that close seeds give unrelated streams.
  public init(seed: UInt64) {
    var state = seed
    func splitMix() -> UInt64 {
      state &+= 0x9e37_79b9_7f4a_7c15
      var z = state
      z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
      return z ^ (z >> 31)
    }
    s0 = splitMix()
    s1 = splitMix()
    s2 = splitMix()
    s3 = splitMix()
  }

  @inlinable public mutating func next() -> UInt64 {
    let product = s1 &* 5
    let result = ((product << 7) | (product >> 57)) &* 9
    let t = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = (s3 << 45) | (s3 >> 19)
    return result
  }

  /// Uniform in `0..<bound` by Lemire's multiply-shift; the bias is below bound / 2^64.
  @inlinable public mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "empty range")
    return Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// Uniform in [0, 1).
  @inlinable public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
