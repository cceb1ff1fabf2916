import MeshBase
import Net
import Testing

@testable import MeshRouter

@Suite("what processes say to each other in an upgrade")
struct HandoverMessageTests {
  @Test(
    "each message is read as it was written",
    arguments: [
      HandoverMessage.tickets([1, 2, 3]), .port(.loopback(port: 4_140), server: "0 127.0.0.1 a label with blanks"),
      .port(SocketAddress(ipv6High: 0, low: 1, port: 99), server: "admin"), .end, .wantStore,
      .dtabs(namespace: "web", history: Array("@ 1 2 3\nkind\n".utf8)), .dtabs(namespace: "empty", history: []),
      .name(NameInUse(router: "a label", path: "/svc/web")), .released, .ready(version: "1.2.3"), .failed("a\nb"),
    ])
  func roundTrip(_ message: HandoverMessage) {
    #expect(HandoverMessage(message.message) == message)
  }

  @Test("what another version says beyond that is passed over")
  func unknown() {
    #expect(HandoverMessage(MessageSocket.Message(kind: 99, [1])) == nil)
    #expect(HandoverMessage(MessageSocket.Message(kind: 2, Array("nowhere x".utf8))) == nil)
  }
}
