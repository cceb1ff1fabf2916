import MeshBase

/// The cluster's own calendar: milliseconds since 1970 which the model moves on, so that a run is the same each time.
enum SimTime {
  /// 2016-09-15T12:00:00Z.
  static let start: UInt64 = 1_473_940_800_000

  static func text(_ milliseconds: UInt64) -> String {
    CivilTime(wallNanoseconds: milliseconds * 1_000_000).iso8601
  }

  static func seconds(_ milliseconds: UInt64) -> Double { Double(milliseconds) / 1_000 }
}
