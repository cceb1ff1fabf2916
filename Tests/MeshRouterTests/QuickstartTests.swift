import Foundation
import MeshRouter
import Testing

@Suite("the quickstart")
struct QuickstartTests {
  @Test("the embedded configuration is the example's text")
  func sameText() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("dtabs/quickstart.yaml")
    #expect(try Quickstart.yaml == String(contentsOf: file, encoding: .utf8))
  }
}
