import MeshBase

extension Balancer {
  /// Replaces the endpoint list. What is known of endpoints in both lists stays: outstanding, latency, status, turn.
  ///
  /// Entries with the same address are one endpoint with their weights added. A weight that is negative or not finite
  /// counts as 0. An endpoint that comes back while it drains gets its slot and state back.
  public func update(_ endpoints: [Endpoint]) {
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

  private func list(_ endpoint: Endpoint, _ changed: inout Bool) {
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

  private func newSlot(_ address: SocketAddress) -> Int? {
    let slot: Int
    if let reused = freeSlots.popLast() {
      slot = reused
      slots[slot] = Slot()
      details[slot] = SlotDetail(address: address)
    } else {
      guard slots.count < Self.slotsMax else { return nil }
      slot = slots.count
      slots.append(Slot())
      details.append(SlotDetail(address: address))
      drained.reserve(slots.count)
    }
    slots[slot].pass = .nan
    slotOfAddress[address] = slot
    return slot
  }

  func enqueueDrained(_ slot: Int) {
    if slots[slot].isQueued { return }
    slots[slot].isQueued = true
    drained.append(Int32(slot))
  }

  /// Whether `takeFreedSlots` may have something to report.
  public var hasFreedSlots: Bool { drained.count > 0 }

  /// Reports each endpoint that has left the list and has no request out, and frees its slot: from now on the number
  /// may mean another address. Call it after `update` and after an `end` that leaves `hasFreedSlots` true; `body` closes
  /// what belongs to the endpoint and does not call the balancer.
  public func takeFreedSlots(_ body: (_ slot: Int, _ address: SocketAddress) -> Void) {
    for index in 0..<drained.count {
      let slot = Int(drained[index])
      slots[slot].isQueued = false
      // It may have come back, or been given a request after all, since it was queued.
      if slots[slot].standing != .draining || slots[slot].outstanding > 0 { continue }
      body(slot, details[slot].address)
      slotOfAddress[details[slot].address] = nil
      slots[slot] = Slot()
      freeSlots.append(slot)
    }
    drained.removeAll()
  }

  /// Derives everything that depends on the set of members and their weights.
  private func rebuild() {
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
    if isWeighted && discipline == .roundRobin { schedule.makeHeap(slots) }
    virtualTime = now
    cursor = order.isEmpty ? 0 : (generation == 1 ? updateRandom.below(order.count) : cursor % order.count)
    if case .ring(let pointsWanted, _) = kind { rebuildRing(pointsWanted, mean: mean) }
  }

  private func orderKey(_ slot: Int) -> UInt64 { StableHash.mix(StableHash.of(details[slot].address) ^ orderSeed) }

  private func rebuildRing(_ pointsWanted: Int, mean: Double) {
    let each = Ring.pointsPerMember(wanted: pointsWanted, members: members.count)
    var wanted = [Int](repeating: 0, count: slots.count)
    for index in 0..<members.count {
      let slot = Int(members[index])
      let points = isWeighted ? (Double(each) * details[slot].weight / mean).rounded() : Double(each)
      wanted[slot] = max(Int(points), 1)
    }
    ring.update(wanted: wanted) { StableHash.of(details[$0].address) }
  }
}
