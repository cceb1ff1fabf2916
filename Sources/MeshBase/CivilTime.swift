/// A point in time taken apart in UTC, by the proleptic Gregorian calendar.
///
/// Days to dates after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2014).
public struct CivilTime: Equatable, Sendable {
  public var year: Int
  /// 1 to 12.
  public var month: Int
  /// 1 to 31.
  public var day: Int
  public var hour: Int
  public var minute: Int
  public var second: Int
  public var millisecond: Int

  /// `wallNanoseconds` since the Unix epoch.
  public init(wallNanoseconds: UInt64) {
    self.init(unixSeconds: Int(wallNanoseconds / 1_000_000_000))
    millisecond = Int(wallNanoseconds / 1_000_000 % 1_000)
  }

  /// - Parameter seconds: since the Unix epoch, not negative.
  public init(unixSeconds seconds: Int) {
    millisecond = 0
    let days = seconds / 86_400
    let ofDay = seconds % 86_400
    hour = ofDay / 3_600
    minute = ofDay / 60 % 60
    second = ofDay % 60
    // Years begin in March here, so that the leap day comes last.
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// `2026-11-22T14:00:00.123Z`, RFC 3339.
  public var iso8601: String {
    "\(Self.padded(year, 4))-\(Self.padded(month))-\(Self.padded(day))T\(clock).\(Self.padded(millisecond, 3))Z"
  }

  /// `22/Nov/2026:14:00:00 +0000`, as the common log format has it.
  public var commonLog: String {
    "\(Self.padded(day))/\(Self.months[month - 1])/\(Self.padded(year, 4)):\(clock) +0000"
  }

  private var clock: String { "\(Self.padded(hour)):\(Self.padded(minute)):\(Self.padded(second))" }

  private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

  private static func padded(_ number: Int, _ width: Int = 2) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
