import MeshBase
import Testing

@testable import Balancers

@Suite("Bugs of the caller stop the process") struct ExitTests {
  @Test("end without begin")
  func endWithoutBegin() async {
    await #expect(processExitsWith: .failure) {
      let balancer = Balancer(kind: .p2cEwma(), seed: 1)
      balancer.update([Endpoint(SocketAddress(ipv4: 1, port: 1))])
      let now = MonotonicInstant(nanoseconds: 1)
      balancer.begin(0, at: now)
      balancer.end(0, startedAt: now, at: now, ok: true)
      balancer.end(0, startedAt: now, at: now, ok: true)
    }
  }

  @Test("abandon without begin")
  func abandonWithoutBegin() async {
    await #expect(processExitsWith: .failure) {
      let balancer = Balancer(kind: .aperture(), seed: 1)
      balancer.update([Endpoint(SocketAddress(ipv4: 1, port: 1))])
      balancer.abandon(0, at: MonotonicInstant(nanoseconds: 1))
    }
  }

  @Test("begin on a slot that has been freed")
  func beginOnFreed() async {
    await #expect(processExitsWith: .failure) {
      let balancer = Balancer(kind: .roundRobin, seed: 1)
      balancer.update([Endpoint(SocketAddress(ipv4: 1, port: 1))])
      balancer.update([])
      balancer.takeFreedSlots { _, _ in }
      balancer.begin(0, at: MonotonicInstant(nanoseconds: 1))
    }
  }

  @Test("a slot number that was never given out")
  func unknownSlot() async {
    await #expect(processExitsWith: .failure) {
      let balancer = Balancer(kind: .ring(), seed: 1)
      balancer.update([Endpoint(SocketAddress(ipv4: 1, port: 1))])
      _ = balancer.address(of: 1)
    }
  }
}
