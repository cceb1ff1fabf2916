import Foundation
import TestSupport
import Testing

@Suite("a router that is told to drain")
struct DrainTests {
  @Test("meshrouter drain ends it with its last connection, or when the time is over; asked again it is less time")
  func command() throws {
    let router = try Router()
    let chat = router.service(UpgradeTests.webSocketBackend())
    let socket = try #require(try UpgradeTests.webSocket(router.port, chat))
    func drain(_ arguments: String...) -> (status: Int32, output: String) {
      let result = Tool.run(
        Products.path("meshrouter"), ["drain", "--admin", "127.0.0.1:\(router.adminPort)"] + arguments)
      return (result.status, result.output)
    }
    #expect(drain("--for", "ever").status == 2)
    #expect(drain("--for", "600").output.hasPrefix("draining for at most 600000 ms"))
    #expect(try Router.eventually { (try? router.connect()) == nil })
    let began = Date()
    #expect(drain("--for", "900").output.hasPrefix("draining for at most 5"), "no more than was left")
    #expect(drain("--for", "1").output.hasPrefix("draining for at most 1000 ms"))
    #expect(socket.awaitEnd() != .timeout)
    #expect(router.waitForExit(milliseconds: 8_000) == 0)
    #expect(Date().timeIntervalSince(began) > 0.9)
    #expect(drain().status == 3, "nobody is there")
  }
}
