import MeshBase

@testable import Balancers

func address(_ index: Int, port: UInt16 = 8080) -> SocketAddress {
  SocketAddress(ipv4: 0x0a00_0000 + UInt32(index), port: port)
}

func endpoint(_ index: Int, weight: Double = 1) -> Endpoint { Endpoint(address(index), weight: weight) }

func endpoints(_ count: Int) -> [Endpoint] { (0..<count).map { endpoint($0) } }

func at(microseconds: UInt64) -> MonotonicInstant {
  MonotonicInstant(nanoseconds: 5_000_000_000_000 + microseconds * 1_000)
}

func at(milliseconds: UInt64) -> MonotonicInstant { at(microseconds: milliseconds * 1_000) }

let allKinds: [BalancerKind] = [.p2cEwma(), .p2cLeastLoaded, .roundRobin, .aperture(), .ring()]

extension Balancer {
  func slotOf(_ index: Int) -> Int { slot(of: endpoint(index).address) ?? -1 }

  /// One whole request, answered after `microseconds`.
  func exchange(_ slot: Int, at start: MonotonicInstant, microseconds: UInt64, ok: Bool = true) {
    begin(slot, at: start)
    end(slot, startedAt: start, at: start.advanced(byNanoseconds: microseconds * 1_000), ok: ok)
  }

  /// Every endpoint has answered once, in the same time.
  func introduceAll(at now: MonotonicInstant, microseconds: UInt64 = 1_000) {
    let start = MonotonicInstant(nanoseconds: now.nanoseconds - microseconds * 1_000)
    for slot in slotsInUse { exchange(slot, at: start, microseconds: microseconds) }
  }

  func freed() -> [SocketAddress] {
    var addresses: [SocketAddress] = []
    takeFreedSlots { _, address in addresses.append(address) }
    return addresses
  }

  /// A pick with nothing avoided; -1 if there is nobody.
  func pick(_ random: inout SeededRandom, hash: UInt64 = 0, avoiding: SlotSet = SlotSet()) -> Int {
    pick(at: at(milliseconds: 0), using: &random, hash: hash, avoiding: avoiding) ?? -1
  }
}

extension SlotSet {
  init(_ slots: Int...) {
    self.init()
    for slot in slots { insert(slot) }
  }
}

/// Pearson's statistic of `counts` against `expected`.
func chiSquare(_ counts: [Int], expected: [Double]) -> Double {
  zip(counts, expected).reduce(0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) / $1.1 }
}

/// Value that Pearson's statistic exceeds once in about 100,000 times (Wilson-Hilferty, z = 4.26).
func chiSquareLimit(freedom: Int) -> Double {
  let k = Double(freedom)
  let term = 1 - 2 / (9 * k) + 4.26 * (2 / (9 * k)).squareRoot()
  return k * term * term * term
}
