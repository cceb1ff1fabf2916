import Testing

@testable import MeshRouter

@Suite("the tally of the cluster's demo")
struct ClusterTallyTests {
  @Test("versions are counted in the order of their deploys, the last three by name")
  func lines() {
    var tally = ClusterTally()
    #expect(tally.requests == "answered: none   failed: 0")
    for version in ["a", "b", "c", "d", "e"] {
      tally.note(version)
      tally.note(version)
      tally.answer(from: version)
    }
    tally.answer(from: "e")
    #expect(tally.running(["d", "e", "e"]) == "v4 1, v5 2")
    #expect(tally.running([]) == "none")
    #expect(tally.requests == "answered: v1-v2 2, v3 1, v4 1, v5 2   failed: 0")
    tally.failure("502 connect.refused")
    tally.failure("503 bind.timeout")
    #expect(tally.requests.hasSuffix("failed: 2, first: 502 connect.refused"))
    #expect(tally.summary == "6 requests answered over 5 versions, failed: 2, first: 502 connect.refused")
  }
}
