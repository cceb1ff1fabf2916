/// e^x in arithmetic alone: the modules that decide link no maths library.
///
/// Relative error below 1e-13 for |x| ≤ 700; 0 below that range, and above it the value at 700.
public func exponential(_ x: Double) -> Double {
  if x < -700 { return 0 }
  let x = min(x, 700)
  // x = k ln 2 + r with |r| ≤ ln 2 / 2. Adding and subtracting 1.5 · 2^52 rounds to an integer.
  let k = (x * 1.442_695_040_888_963_4 + 0x1.8p52) - 0x1.8p52
  let r = (x - k * 0.693_147_180_369_123_8) - k * 1.908_214_929_270_587_7e-10
  // Taylor; the first term left out is r^12 / 12! < 7e-15.
  var sum = 1.0 / 39_916_800
  sum = sum * r + 1.0 / 3_628_800
  sum = sum * r + 1.0 / 362_880
  sum = sum * r + 1.0 / 40_320
  sum = sum * r + 1.0 / 5_040
  sum = sum * r + 1.0 / 720
  sum = sum * r + 1.0 / 120
  sum = sum * r + 1.0 / 24
  sum = sum * r + 1.0 / 6
  sum = sum * r + 0.5
  sum = sum * r + 1
  sum = sum * r + 1
  return sum * Double(bitPattern: UInt64(bitPattern: Int64(k) + 1_023) << 52)
}
