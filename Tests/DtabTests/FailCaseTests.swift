import Dtab
import Foundation
import Testing

/// Inputs that once broke something, and the fuzzer's first inputs.
@Suite struct FailCaseTests {
  static let fuzz = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Fuzz").standardized

  static func inputs() throws -> [URL] {
    try ["FailCases/dtab", "seeds/dtab"].flatMap {
      try FileManager.default.contentsOfDirectory(at: fuzz.appending(path: $0), includingPropertiesForKeys: nil)
    }.sorted { $0.path < $1.path }
  }

  @Test("each input of the fuzzer that is kept keeps the laws")
  func replay() throws {
    let inputs = try Self.inputs()
    try #require(!inputs.isEmpty)
    for input in inputs { checkDtabLaws([UInt8](try Data(contentsOf: input))) }
  }
}
