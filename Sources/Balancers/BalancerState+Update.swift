import MeshBase

extension BalancerState {
  /// See `Balancer.update`.
  mutating func update(_ endpoints: [Endpoint]) {
    generation += 1
    var changed = generation == 1
    for endpoint in endpoints { list(endpoint, &changed) }
    for slot in 0..<slots.count where slots[slot].standing == .live && details[slot].generation != generation {
      slots[slot].standing = .draining
      if slots[slot].outstanding == 0 { enqueueDrained(slot) }
      changed = true
    }
    for slot in 0..<slots.count where slots[slot].standing == .live {
      if details[slot].weight != details[slot].listedWeight {
        details[slot].weight = details[slot].listedWeight
        changed = true
      }
    }
    if changed { rebuild() }
  }

  private mutating func list(_ endpoint: Endpoint, _ changed: inout Bool) {
    let weight = endpoint.weight.isFinite && endpoint.weight > 0 ? min(endpoint.weight, Self.weightMax) : 0
    guard let slot = slotOfAddress[endpoint.address] ?? newSlot(endpoint.address) else { return }
    if slots[slot].standing != .live {
      slots[slot].standing = .live
      changed = true
    }
    if details[slot].generation == generation {
      details[slot].listedWeight += weight
    } else {
      details[slot].generation = generation
      details[slot].listedWeight = weight
    }
  }

  /// Keeps sums of weights finite and exact enough.
  private static let weightMax = 1e12

  private mutating func newSlot(_ address: SocketAddress) -> Int? {
    let slot: Int
    if let reused = freeSlots.popLast() {
      slot = reused
      slots[slot] = Slot()
      details[slot] = SlotDetail(address: address)
    } else {
      guard slots.count < Balancer.slotsMax else { return nil }
      slot = slots.count
      slots.append(Slot())
      details.append(SlotDetail(address: address))
      drained.reserve(slots.count)
    }
    slots[slot].pass = .nan
    slotOfAddress[address] = slot
    return slot
  }

  mutating func enqueueDrained(_ slot: Int) {
    if slots[slot].isQueued { return }
    slots[slot].isQueued = true
    drained.append(Int32(slot))
  }

  /// Frees one slot whose endpoint has left the list and has no request out.
  mutating func takeFreedSlot() -> (slot: Int, address: SocketAddress)? {
    while let queued = drained.popLast() {
      let slot = Int(queued)
      slots[slot].isQueued = false
      // It may have come back, or been given a request after all, since it was queued.
      if slots[slot].standing != .draining || slots[slot].outstanding > 0 { continue }
      let address = details[slot].address
      slotOfAddress[address] = nil
      slots[slot] = Slot()
      freeSlots.append(slot)
      return (slot, address)
    }
    return nil
  }

  /// Derives everything that depends on the set of members and their weights.
  private mutating func rebuild() {
    let now = discipline == .roundRobin && isWeighted ? schedule.time(slots) : virtualTime
    members.removeAll()
    var order: [Int] = []
    var sum = 0.0
    for slot in 0..<slots.count where slots[slot].standing == .live && details[slot].weight > 0 {
      order.append(slot)
      sum += details[slot].weight
    }
    if discipline == .aperture {
      // Each seed has its own order, so that workers and routers do not all lean on the same few endpoints.
      order.sort { orderKey($0) < orderKey($1) }
    }
    let mean = order.isEmpty ? 1 : sum / Double(order.count)
    isWeighted = order.contains { details[$0].weight != details[order[0]].weight }
    busyMembers = 0
    closedMembers = 0
    weightedIndex.removeAll()
    schedule.removeAll()
    for slot in order {
      members.append(Int32(slot))
      count(slots[slot].status, 1)
      let inverse = isWeighted ? mean / details[slot].weight : 1
      // A first turn anywhere within one period: neither at once nor owed anything.
      if slots[slot].pass.isNaN { slots[slot].pass = now + updateRandom.unit() * inverse }
      slots[slot].pass = min(max(slots[slot].pass, now), now + inverse)
      slots[slot].inverseWeight = inverse
      if isWeighted {
        weightedIndex.append(weight: details[slot].weight)
        schedule.append(Int32(slot))
      }
    }
    weightedIndex.makeGuide()
    if isWeighted && discipline == .roundRobin { schedule.makeHeap(slots) }
    virtualTime = now
    cursor = order.isEmpty ? 0 : (generation == 1 ? updateRandom.below(order.count) : cursor % order.count)
    if discipline == .ring { rebuildRing(mean: mean) }
  }

  private func orderKey(_ slot: Int) -> UInt64 { StableHash.mix(StableHash.of(details[slot].address) ^ orderSeed) }

  private mutating func rebuildRing(mean: Double) {
    let perWeight = Ring.pointsPerWeight(wanted: ringPointsWanted, members: members.count, meanWeight: mean)
    var wanted = [Int](repeating: 0, count: slots.count)
    for index in 0..<members.count {
      let slot = Int(members[index])
      wanted[slot] = max(Int(details[slot].weight * perWeight + 0.5), 1)
    }
    ring.update(wanted: wanted) { StableHash.of(details[$0].address) }
  }
}
