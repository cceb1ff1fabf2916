/// Whether there is too little of something, told with hysteresis: pressure begins when use reaches `high` and ends when
/// it has sunk below `low`, so that it does not come and go with each request.
public struct PressureGauge: Sendable {
  /// In the unit of what is used.
  public let high: UInt64
  public let low: UInt64
  public private(set) var isUnderPressure = false

  /// - Parameters:
  ///   - limit: what there is.
  ///   - highShare: of the limit, where pressure begins.
  ///   - lowShare: where it ends; not above `highShare`.
  public init(limit: UInt64, highShare: Double = 0.95, lowShare: Double = 0.85) {
    high = UInt64(Double(limit) * highShare)
    low = min(high, UInt64(Double(limit) * lowShare))
  }

  /// Whether that changed anything.
  public mutating func update(_ used: UInt64) -> Bool {
    let before = isUnderPressure
    if used >= high { isUnderPressure = true } else if used < low { isUnderPressure = false }
    return isUnderPressure != before
  }
}
