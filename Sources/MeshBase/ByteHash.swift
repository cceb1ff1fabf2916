/// A keyed hash of bytes for tables on the data plane: fast, not cryptographic.
///
/// Folded 64×64→128-bit multiplication over 16 bytes at a time, after wyhash (Wang Yi). Callers with hostile input give
/// a seed nobody outside knows, so that colliding keys cannot be prepared.
@inlinable
public func byteHash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
  let k0: UInt64 = 0xa076_1d64_78bd_642f
  let k1: UInt64 = 0xe703_7ed1_a0b4_28db
  @inline(__always) func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }
  var state = seed ^ k0
  var offset = 0
  while offset + 16 <= bytes.count {
    let a = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    let b = bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
    state = fold(a ^ k1, b ^ state)
    offset += 16
  }
  var a: UInt64 = 0
  var b: UInt64 = 0
  let rest = bytes.count - offset
  if rest >= 8 {
    a = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    b = bytes.loadUnaligned(fromByteOffset: bytes.count - 8, as: UInt64.self)
  } else if rest >= 4 {
    a = UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    b = UInt64(bytes.loadUnaligned(fromByteOffset: bytes.count - 4, as: UInt32.self))
  } else if rest > 0 {
    a = UInt64(bytes[offset]) << 16 | UInt64(bytes[offset + (rest >> 1)]) << 8 | UInt64(bytes[bytes.count - 1])
  }
  return fold(fold(a ^ k1, b ^ state), UInt64(bytes.count) ^ k0)
}
