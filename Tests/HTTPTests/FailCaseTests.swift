import Foundation
import MeshBase
import Testing

@Suite("inputs that once failed")
struct FailCaseTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test("inputs that the fuzzer found, and those it starts from, keep the laws", arguments: ["FailCases", "seeds"])
  func replay(_ folder: String) throws {
    let targets = [
      ("h1", checkH1Laws), ("h2", checkH2Laws), ("sse", checkServerSentEventLaws), ("recordio", checkRecordIOLaws),
    ]
    for (target, check) in targets {
      let place = FailCaseTests.root.appending(path: "Fuzz/\(folder)/\(target)")
      guard FileManager.default.fileExists(atPath: place.path) else { continue }
      for input in try FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil) {
        check([UInt8](try Data(contentsOf: input)))
      }
    }
  }

  @Test("seeds of the HTTP/2 fuzzer with random bytes changed keep the laws", arguments: 0..<40)
  func mutated(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let place = FailCaseTests.root.appending(path: "Fuzz/seeds/h2")
    guard FileManager.default.fileExists(atPath: place.path) else { return }
    for input in try FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil) {
      var bytes = [UInt8](try Data(contentsOf: input))
      for _ in 0..<1 + random.next() % 4 {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      checkH2Laws(bytes)
    }
  }
}
