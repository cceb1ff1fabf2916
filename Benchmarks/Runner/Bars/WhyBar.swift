import Glibc
import MeshBase
import Net

/// The router's own explanation of a request, held against where the next real request goes.
enum WhyBar {
  static let names = 10_000

  static func run(binary: String, cases: Int, seed: UInt64) throws -> Bool {
    var report = BarReport("why")
    let fixture = try BarFixture()
    defer { fixture.remove() }
    // Answers with what the router told it of the route.
    let backend = try LoadBackend(answer: { head in
      let client = head.field("l5d-dst-client").map { String(decoding: $0, as: UTF8.self) } ?? ""
      let residual = head.field("l5d-dst-residual").map { String(decoding: $0, as: UTF8.self) } ?? ""
      return LoadBackend.response(fields: "X-Client: \(client)\r\nX-Residual: \(residual)\r\n", body: "ok")
    })
    for number in 0..<names { try fixture.name("n\(number)", backend.port) }
    let router = try fixture.router(
      binary,
      dtab: """
        '/svc => /#/io.l5d.fs; /svc/alias => /svc; /svc/either => /svc/none | /svc/n1; /svc/never => !; \
        /svc/mix => 1 * /svc/n2 & 3 * /svc/n3'
        """)
    let traffic = AdminClient(port: router.port)
    var random = SeededRandom(seed: seed)
    let latencies = LatencyHistogram()
    var differences = 0
    var routed = 0
    for number in 0..<cases {
      let (host, override) = request(&random)
      let started = Clock.now.nanoseconds
      let fields = override.map { [("l5d-dtab", $0)] } ?? []
      let query =
        "/api/2/why?url=\(escaped("http://\(host)/a"))"
        + (override.map { "&header=\(escaped("l5d-dtab:\($0)"))" } ?? "")
      let why = try router.admin.call("GET", query, fields: [("Accept", "application/json")])
      latencies.record(nanoseconds: Clock.now.nanoseconds - started)
      guard why.status == 200 else { throw Harness.Failure("\(query): \(why.head)\(why.body)") }
      let real = try traffic.call("GET", "/a", host: host, fields: fields)
      let problem = difference(why.body, real)
      if real.status == 200 { routed += 1 }
      if let problem {
        differences += 1
        if differences <= 5 { print("why: case \(number) (seed \(seed)) \(host) \(override ?? ""): \(problem)") }
      }
    }
    report.note("cases", Double(cases))
    report.note("of them routed", Double(routed))
    report.check("answers unlike the next request's route", Double(differences), equals: 0)
    report.note("median answer", latencies.milliseconds(quantile: 0.5), unit: "ms")
    report.check("p99 answer", latencies.milliseconds(quantile: 0.99), max: 20, unit: "ms")
    try router.end()
    backend.stop()
    return report.passes
  }

  private static func request(_ random: inout SeededRandom) -> (host: String, override: String?) {
    func known() -> String { "n\(random.below(names))" }
    switch random.below(12) {
    case 0: return ("missing\(random.below(names))", nil)
    case 1: return ("either", nil)
    case 2: return ("never", nil)
    case 3, 4: return ("mix", nil)
    case 5: return ("x\(random.below(50))", "/svc/* => /#/io.l5d.fs/\(known())")
    case 6: return (known(), "/svc => /#/io.l5d.fs/\(known()) & /#/io.l5d.fs/\(known()) & /#/io.l5d.fs/gone")
    case 7: return (known(), "/svc/* => /svc/gone | /#/io.l5d.fs/\(known())")
    case 8: return (known(), "/svc => ~ | /#/io.l5d.fs")
    case 9: return (known(), "/svc => $ ")
    default: return (known(), nil)
    }
  }

  /// What is wrong, if the route of a real request is not one of those that were told.
  private static func difference(_ why: String, _ real: AdminClient.Answer) -> String? {
    let reason = values(of: "reason", in: why).first
    if real.status != 200 {
      let seen = real.field("l5d-err")
      guard let reason, seen.contains(reason) else {
        // A branch without endpoints may be the one that was drawn.
        if seen.contains("pick.no_endpoints"), why.contains("\"endpoints\":[]") { return nil }
        return "told \(reason ?? "routable"), got \(real.status) \(seen)"
      }
      return nil
    }
    if let reason { return "told \(reason), got 200 from \(real.field("X-Client"))" }
    let told = values(of: "id", in: why)
    let client = real.field("X-Client")
    guard told.contains(client) else { return "told \(told), went to \(client)" }
    let residuals = values(of: "residual", in: why)
    guard residuals.contains(real.field("X-Residual")) else {
      return "told residuals \(residuals), got \(real.field("X-Residual"))"
    }
    return nil
  }

  /// The text values of a member, wherever it stands in a document whose texts hold no quotes.
  static func values(of member: String, in json: String) -> [String] {
    var found: [String] = []
    var rest = json[...]
    while let range = rest.firstRange(of: "\"\(member)\":") {
      rest = rest[range.upperBound...].drop { $0 == " " }
      guard rest.first == "\"" else { continue }
      rest = rest.dropFirst()
      found.append(String(rest.prefix { $0 != "\"" }))
    }
    return found
  }

  private static func escaped(_ text: String) -> String {
    text.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        String(UnicodeScalar(byte))
      default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }.joined()
  }
}
