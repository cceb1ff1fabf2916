import MeshBase

/// How many endpoints are in use: enough that each has a sensible number of requests out, and no more.
///
/// The average of the total in flight is weighted by time, with e^(−dt/window) as the weight of the past. After each
/// change of the total: average per endpoint in use ≥ `highLoad` widens by one, ≤ `lowLoad` narrows by one.
struct Aperture {
  let windowNanoseconds: Double
  let lowLoad: Double
  let highLoad: Double
  let widthMin: Int
  private(set) var width: Int
  private(set) var average = 0.0
  private var stamp: MonotonicInstant?

  init(windowMilliseconds: UInt64, lowLoad: Double, highLoad: Double, widthMin: Int) {
    windowNanoseconds = max(Double(windowMilliseconds), 1) * 1e6
    self.lowLoad = lowLoad
    self.highLoad = highLoad
    self.widthMin = max(widthMin, 1)
    width = self.widthMin
  }

  /// `inFlight` held since the previous call and changes now.
  mutating func note(inFlight: Int, at now: MonotonicInstant, members: Int) {
    if let stamp {
      let w = exponential(-Double(now.nanoseconds(since: stamp)) / windowNanoseconds)
      average = average * w + Double(inFlight) * (1 - w)
    }
    stamp = now
    let perEndpoint = average / Double(width)
    if perEndpoint >= highLoad {
      if width < members { width += 1 }
    } else if perEndpoint <= lowLoad && width > widthMin {
      width -= 1
    }
  }

  /// Endpoints in use when there are `members`.
  func width(among members: Int) -> Int { min(width, members) }
}
