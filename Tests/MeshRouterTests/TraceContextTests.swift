import HTTP
import MeshBase
import Testing

@testable import MeshRouter

@Suite struct TraceContextTests {
  private func lines(_ context: TraceContext) -> String {
    let out = ByteBuffer()
    context.appendLines(to: out)
    return String(decoding: Array(out.readable), as: UTF8.self)
  }

  @Test("what is written is read again", arguments: UInt64(1)...50)
  func roundTrip(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var context = TraceContext(root: random.next())
    context.parent = random.next()
    context.trace = random.next()
    context.flags = random.next()
    let value = lines(context).split(separator: "\r\n")[0].dropFirst("l5d-ctx-trace: ".count)
    let read = try #require(Array(value.utf8).withUnsafeBytes { TraceContext($0) }, "seed \(seed)")
    #expect(read.span == context.span && read.parent == context.parent)
    #expect(read.trace == context.trace && read.flags == context.flags)
  }

  @Test("the form is linkerd's: big-endian words in base64, the trace id in hex")
  func form() {
    var context = TraceContext(root: 1)
    context.trace = 0xfedc_ba98_7654_3210
    #expect(
      lines(context) == "l5d-ctx-trace: AAAAAAAAAAEAAAAAAAAAAf7cuph2VDIQAAAAAAAAAAA=\r\nl5d-reqid: fedcba9876543210\r\n"
    )
  }

  @Test("a child keeps the trace and has its caller as parent")
  func child() {
    let child = TraceContext(root: 7).child(span: 9)
    #expect(child.span == 9 && child.parent == 7 && child.trace == 7)
  }

  @Test(
    "anything else is no context",
    arguments: ["", "AAAA", String(repeating: "A", count: 44), String(repeating: "*", count: 43) + "="])
  func malformed(value: String) {
    #expect(Array(value.utf8).withUnsafeBytes { TraceContext($0) } == nil)
  }
}
