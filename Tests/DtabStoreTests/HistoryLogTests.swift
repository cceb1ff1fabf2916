import MeshBase
import Testing

@testable import DtabStore

@Suite struct HistoryLogTests {
  private func change(_ version: UInt64, _ random: inout SeededRandom) -> DtabChange {
    let texts = ["", "/a => /b", "# only a comment\n", "/svc => /x;\n@ 1 2 3\n/y => /z\n", "ünï\n\n\n"]
    return DtabChange(
      version: version, kind: [.created, .changed, .deleted, .rolledBack, .external][random.below(5)],
      source: random.below(2) == 0 ? nil : UInt64(random.below(100)), text: texts[random.below(texts.count)],
      authorship: Authorship(
        author: ["", "alice"][random.below(2)], reason: ["", "text nothing", "x"][random.below(3)]),
      wallNanoseconds: random.next())
  }

  @Test("what is written is read back")
  func roundTrip() {
    for seed in 1...200 as ClosedRange<UInt64> {
      var random = SeededRandom(seed: seed)
      let changes = (1...5).map { change(UInt64($0), &random) }
      let contents = HistoryLog.decode(changes.flatMap(HistoryLog.encode))
      #expect(contents.changes == changes, "seed \(seed)")
      #expect(contents.tornBytes == 0 && contents.damagedBytes == 0, "seed \(seed)")
    }
  }

  @Test("a log cut at any byte has all records before the cut and nothing else")
  func torn() {
    var random = SeededRandom(seed: 7)
    let changes = (1...4).map { change(UInt64($0), &random) }
    let records = changes.map(HistoryLog.encode)
    let whole = records.flatMap { $0 }
    var ends = [0]
    for record in records { ends.append(ends.last! + record.count) }
    for cut in 0...whole.count {
      let contents = HistoryLog.decode(Array(whole[..<cut]))
      let complete = ends.lastIndex { $0 <= cut }!
      #expect(contents.changes == Array(changes[..<complete]), "cut at \(cut)")
      #expect(contents.end == ends[complete] && contents.tornBytes == cut - ends[complete])
    }
  }

  @Test("a log with any byte changed loses the record that holds it, and no other")
  func damaged() {
    var random = SeededRandom(seed: 8)
    let changes = (1...4).map { change(UInt64($0), &random) }
    let records = changes.map(HistoryLog.encode)
    let whole = records.flatMap { $0 }
    var owner: [Int] = []
    for (index, record) in records.enumerated() { owner += Array(repeating: index, count: record.count) }
    for place in whole.indices {
      for flip in [0x01, 0x80, 0x2a] as [UInt8] {
        var bytes = whole
        bytes[place] ^= flip
        var expected = changes
        expected.remove(at: owner[place])
        let got = HistoryLog.decode(bytes).changes
        #expect(got == expected, "byte \(place) ^ \(flip)")
      }
    }
  }
}
