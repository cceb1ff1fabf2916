import Foundation
import MeshBase
import Testing

@Suite("inputs that fuzzers know")
struct FailCaseTests {
  private static let targets = [("json", checkJSONLaws), ("zookeeper", checkZooKeeperLaws)]

  private static func inputs(_ folder: String, _ target: String) throws -> [[UInt8]] {
    let place = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Fuzz/\(folder)/\(target)")
    guard FileManager.default.fileExists(atPath: place.path) else { return [] }
    return try FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil).map {
      [UInt8](try Data(contentsOf: $0))
    }
  }

  @Test("inputs that the fuzzer found, and those it starts from, keep the laws", arguments: ["FailCases", "seeds"])
  func replay(folder: String) throws {
    for (target, check) in Self.targets {
      for input in try Self.inputs(folder, target) { check(input) }
    }
  }

  @Test("messages of a ZooKeeper server with random bytes changed, added or left out keep the laws", arguments: 0..<50)
  func mutated(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    for var bytes in try Self.inputs("seeds", "zookeeper") {
      for _ in 0..<1 + random.below(4) {
        let place = random.below(bytes.count)
        switch random.below(3) {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        default: if bytes.count > 1 { bytes.remove(at: place) }
        }
      }
      checkZooKeeperLaws(bytes)
    }
  }
}
