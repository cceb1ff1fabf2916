/// Dates for people, in UTC.
enum Calendar {
  /// `2026-11-22 18:04:06Z`.
  static func text(unixMilliseconds: UInt64) -> String {
    let seconds = Int(unixMilliseconds / 1_000)
    let (year, month, day) = date(daysSince1970: seconds / 86_400)
    func two(_ number: Int) -> String { (number < 10 ? "0" : "") + String(number) }
    let time = seconds % 86_400
    return "\(year)-\(two(month))-\(two(day)) \(two(time / 3_600)):\(two(time / 60 % 60)):\(two(time % 60))Z"
  }

  /// By counting from 1 March of the year 0, so that a leap day is the last of its year.
  static func date(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }
}
