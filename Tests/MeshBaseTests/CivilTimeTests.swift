import Foundation
import MeshBase
import Testing

@Suite struct CivilTimeTests {
  @Test("agrees with Foundation's calendar", arguments: UInt64(1)...200)
  func agrees(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let seconds = UInt64(random.below(4_102_444_800))  // up to 2100
    let time = CivilTime(wallNanoseconds: seconds * 1_000_000_000 + 123_456_789)
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
    let date = Date(timeIntervalSince1970: Double(seconds))
    let expected = calendar.dateComponents([.year, .month, .day, .hour, .minute, .second], from: date)
    #expect(time.year == expected.year && time.month == expected.month && time.day == expected.day, "seed \(seed)")
    #expect(time.hour == expected.hour && time.minute == expected.minute && time.second == expected.second)
    #expect(time.millisecond == 123)
  }

  @Test("prints as logs want it")
  func prints() {
    let time = CivilTime(wallNanoseconds: 951_782_400_000_000_000)  // a leap day
    #expect(time.iso8601 == "2000-02-29T00:00:00.000Z")
    #expect(time.commonLog == "29/Feb/2000:00:00:00 +0000")
  }
}
