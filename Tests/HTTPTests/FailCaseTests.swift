import Foundation
import Testing

@Suite("inputs that once failed")
struct FailCaseTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  @Test("inputs that the fuzzer found, and those it starts from, keep the laws", arguments: ["FailCases", "seeds"])
  func replay(_ folder: String) throws {
    let place = FailCaseTests.root.appending(path: "Fuzz/\(folder)/h1")
    guard FileManager.default.fileExists(atPath: place.path) else { return }
    for input in try FileManager.default.contentsOfDirectory(at: place, includingPropertiesForKeys: nil) {
      checkH1Laws([UInt8](try Data(contentsOf: input)))
    }
  }
}
