import MeshBase
import Testing

@testable import MeshRouter

@Suite struct BindCacheTests {
  private func entry(_ key: String, hash: UInt64, used: UInt64 = 0) -> BindEntry {
    BindEntry(id: 1, hash: hash, key: Array(key.utf8), now: MonotonicInstant(nanoseconds: used))
  }

  private func find(_ cache: BindCache, _ key: String, hash: UInt64) -> BindEntry? {
    Array(key.utf8).withUnsafeBytes { cache.find($0, hash: hash) }
  }

  @Test("what was inserted is found, what was removed is not, whatever collides", arguments: UInt64(1)...20)
  func model(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var cache = BindCache(capacity: 10_000)
    var model: [String: BindEntry] = [:]
    // Few distinct hashes, so that runs are long and wrap around.
    func hash(_ key: String) -> UInt64 { UInt64(key.utf8.reduce(0) { $0 &+ Int($1) }) % 7 &+ 60 }
    for _ in 0..<600 {
      let key = "/svc/\(random.below(120))"
      if let known = model[key] {
        cache.remove(known)
        model[key] = nil
      } else {
        let new = entry(key, hash: hash(key))
        cache.insert(new)
        model[key] = new
      }
      #expect(cache.count == model.count)
      let probe = "/svc/\(random.below(120))"
      #expect(find(cache, probe, hash: hash(probe)) === model[probe], "seed \(seed)")
    }
  }

  @Test("names that cannot be routed give way first, then the one unused for longest; busy ones never")
  func eviction() {
    var cache = BindCache(capacity: 3)
    let old = entry("/svc/a", hash: 1, used: 10)
    let busy = entry("/svc/b", hash: 2, used: 1)
    busy.inFlight = 1
    let failed = entry("/svc/c", hash: 3, used: 100)
    failed.update(
      RouteSnapshot(
        outcome: .failed(.bindNeg, explanation: ""), service: "/svc/c", serviceStats: .init(), contextDtab: "")
    ) { _ in fatalError("a failure has no clients") }
    for entry in [old, busy, failed] { cache.insert(entry) }
    #expect(cache.leastUseful() === failed)
    cache.remove(failed)
    #expect(cache.leastUseful() === old)
    cache.remove(old)
    #expect(cache.leastUseful() == nil)
  }
}
