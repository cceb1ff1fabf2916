import Balancers
import Config
import Dtab
import MeshBase
import MeshRouter

/// Names and balancers: what a request costs before a byte of it is sent.
enum NamingBenchmarks {
  /// The size of a table that an organisation writes: services by name, two environments, weighted and failover ones.
  static let table: Dtab = {
    var text = "/svc => /#/io.l5d.fs; /env/prod => /#/io.l5d.fs/prod; /host => /svc; /svc/* => /host;"
    for number in 0..<60 { text += "/svc/team\(number)/web => /env/prod/web\(number) | /env/spare/web;" }
    text += "/svc/canary => 9 * /env/prod/a & 1 * /env/prod/b;"
    guard let table = try? Dtab(parsing: text) else { fatalError("the benchmark's dtab does not parse") }
    return table
  }()

  static func run() throws -> [Figure] {
    let plain = try Path(parsing: "/svc/team30/web/one")
    let canary = try Path(parsing: "/svc/canary")
    var figures = [
      measure("dtab.lookup") { keep(table.lookup(plain)) },
      measure("dtab.bind", count: 5_000) { keep(bound(plain)) },
      measure("dtab.bind.union", count: 5_000) { keep(bound(canary)) },
    ]
    let kinds: [(String, BalancerKind)] = [
      ("p2cEwma", .p2cEwma()), ("p2cLeastLoaded", .p2cLeastLoaded), ("roundRobin", .roundRobin),
      ("aperture", .aperture()), ("ring", .ring()),
    ]
    for (name, kind) in kinds { figures.append(pick(name, kind)) }
    figures.append(try bindCacheHit())
    return figures
  }

  private static func bound(_ path: Path) -> BindState<Path> {
    bind(path, dtab: table) { path in
      path.description.hasPrefix("/#/io.l5d.fs/") ? .tree(.leaf(.bound(path))) : .tree(.neg)
    }
  }

  /// A pick with what belongs to it: the begin and the end of the request.
  private static func pick(_ name: String, _ kind: BalancerKind) -> Figure {
    let balancer = Balancer(kind: kind, seed: 7)
    balancer.update((1...20).map { Endpoint(.loopback(port: UInt16($0))) })
    var random = SeededRandom(seed: 11)
    var now = MonotonicInstant(nanoseconds: 1_000_000_000)
    return measure("balancer.pick.\(name)") {
      now = now.advanced(byNanoseconds: 10_000)
      guard let slot = balancer.pick(at: now, using: &random, hash: random.next()) else { return }
      balancer.begin(slot, at: now)
      balancer.end(slot, startedAt: now, at: now.advanced(byNanoseconds: 1_000_000), ok: true)
    }
  }

  /// From a parsed head to the entry of its name, among 1,000 names.
  private static func bindCacheHit() throws -> Figure {
    let configuration = try Harness.configuration(
      "routers: [{protocol: http, bindingCache: {paths: 2000}, servers: [{port: 4140}]}]")
    let heads = (0..<1_000).map { HTTPBenchmarks.request(host: "service-\($0).example.org") }
    let probe = try BindCacheProbe(configuration.routers[0], heads: heads)
    let head = heads[500]
    guard head.withUnsafeBytes({ probe.parse($0) }) else { fatalError("the benchmark's request does not parse") }
    return head.withUnsafeBytes { bytes in
      var figure = measure("identify.bindCacheHit") { keep(probe.find(bytes)) }
      figure.nanosecondsMax = 250
      figure.mallocsMax = 0
      return figure
    }
  }
}
