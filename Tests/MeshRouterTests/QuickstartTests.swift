import Foundation
import MeshRouter
import Testing

@Suite("the quickstart")
struct QuickstartTests {
  @Test(
    "the embedded configurations are the examples' texts",
    arguments: [("quickstart.yaml", Quickstart.yaml), ("cluster.yaml", ClusterQuickstart.yaml)])
  func sameText(name: String, text: String) throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("dtabs/\(name)")
    #expect(try text == String(contentsOf: file, encoding: .utf8))
  }
}
