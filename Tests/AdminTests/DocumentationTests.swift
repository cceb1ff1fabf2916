import Foundation
import Net
import Testing

@testable import Admin

@Suite struct DocumentationTests {
  @Test("docs/admin.md names every path, and no other")
  @ControlActor func paths() async throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("docs/admin.md")
    let text = try String(contentsOf: file, encoding: .utf8)
    let table = text.components(separatedBy: "## Dtabs")[0]
    let documented = table.matches(of: /`(\/[^`?]*)`/).map { String($0.output.1) }
    let bench = try Bench()
    let served = bench.server.routes
    for route in served { #expect(documented.contains(route.pattern), "\(route.pattern) is not in docs/admin.md") }
    for path in documented {
      let isServed = served.contains { $0.pattern == path || $0.match(path) != nil }
      #expect(isServed, "\(path) is in docs/admin.md but not served")
    }
    await bench.close()
  }
}
