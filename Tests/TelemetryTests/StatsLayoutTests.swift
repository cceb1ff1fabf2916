import MeshBase
import Testing

@testable import Telemetry

struct StatsLayoutTests {
  @Test("a reason's ordinal is its place in the declaration, so it finds its word")
  func ordinals() {
    for (place, reason) in Reason.allCases.enumerated() { #expect(reason.ordinal == place) }
    for (place, stage) in Stage.allCases.enumerated() { #expect(stage.ordinal == place) }
  }

  @Test("each status has the word of its code, else of its class, else the one for no status")
  func statusWords() {
    #expect(StatusWords.exact.count == StatusWords.exactCount)
    for status in -1...700 {
      let word = StatusWords.word(of: status)
      if let place = StatusWords.exact.firstIndex(of: status) {
        #expect(word == place)
      } else if (100...599).contains(status) {
        #expect(word == StatusWords.restBase + status / 100 - 1)
      } else {
        #expect(word == StatusWords.none)
      }
    }
  }

  @Test("each event of each bind cache has a word of its own")
  func bindCacheWords() {
    let words = BindCache.allCases.flatMap { cache in BindCacheEvent.allCases.map { RouterStats.word(cache, $0) } }
    #expect(words.sorted() == Array(0..<BindCache.allCases.count * BindCacheEvent.allCases.count))
  }

  @Test("each retry's kind and outcome has a word of its own, below those of the budget")
  func retryWords() {
    let words = RetryKind.allCases.flatMap { kind in RetryOutcome.allCases.map { ServiceStats.Word.retry(kind, $0) } }
    #expect(words.sorted() == Array(ServiceStats.Word.retries..<ServiceStats.Word.budgetBalance))
  }

  @Test("there is a word for each abuse and each code of a reset")
  func http2Words() {
    #expect(HTTP2Words.abuseCount == HTTP2Abuse.allCases.count)
    #expect(HTTP2Words.codeCount == HTTP2Words.codes.count)
    #expect(HTTP2Words.reset(8, isLocal: false) == HTTP2Words.remoteResets + 8)
    #expect(HTTP2Words.reset(.max, isLocal: true) == HTTP2Words.count - 1)
    #expect(HTTP2Abuse.allCases.map(\.ordinal) == Array(0..<HTTP2Abuse.allCases.count))
  }
}
