import MeshBase

extension BalancerState {
  /// See `Balancer.pick`.
  @inline(__always)
  mutating func pick(
    at now: MonotonicInstant, using random: inout SeededRandom, hash: UInt64, avoiding: SlotSet
  ) -> Int? {
    if members.count <= 1 {
      if members.count == 0 { return nil }
      return chosen(Int(members[0]))
    }
    let isPlain = allOpen && avoiding.isEmpty
    switch discipline {
    case .ewma, .leastLoaded:
      if isPlain { return chosen(drawOne(among: members.count, using: &random)) }
      return chosen(drawCarefully(among: members.count, using: &random, avoiding: avoiding))
    case .aperture:
      let width = aperture.width(among: members.count)
      if isPlain { return chosen(width == 1 ? Int(members[0]) : drawOne(among: width, using: &random)) }
      return chosen(drawCarefully(among: width, using: &random, avoiding: avoiding))
    case .roundRobin:
      if isPlain { return nextTurn() }
      return chosen(turnCarefully(using: &random, avoiding: avoiding))
    case .ring:
      return chosen(pickOnRing(hash: StableHash.mix(hash), avoiding: avoiding))
    }
  }

  var widthInUse: Int { discipline == .aperture ? aperture.width(among: members.count) : members.count }

  @inline(__always)
  private var allOpen: Bool { busyMembers | closedMembers == 0 }

  @inline(__always)
  private mutating func chosen(_ slot: Int) -> Int {
    if slots[slot].status != .open { failOpenTotal += 1 }
    return slot
  }

  /// 0 is what we want; higher is worse.
  @inline(__always)
  private func rank(_ slot: Int, _ avoiding: SlotSet) -> UInt8 {
    avoiding.contains(slot) ? 3 : slots[slot].status.rawValue
  }
}

// MARK: - Two choices

extension BalancerState {
  /// Two distinct members, both equally likely to be any; or, if weights differ, the first drawn by weight and the
  /// second evenly from the others.
  ///
  /// The latter pair {a, b} comes with probability proportional to w(a) + w(b), so if it goes to a with probability
  /// w(a) / (w(a) + w(b)), a's share of all is proportional to w(a): the draw leaves room for exact shares for any
  /// weights and any n, and always offers an alternative to an endpoint that has become slow.
  @inline(__always)
  private func drawPair(among n: Int, using random: inout SeededRandom) -> (Int, Int) {
    let first = isWeighted ? weightedIndex.draw(prefix: n, using: &random) : random.below(n)
    var second = random.below(n - 1)
    if second >= first { second += 1 }
    return (Int(members[first]), Int(members[second]))
  }

  @inline(__always)
  private mutating func drawOne(among n: Int, using random: inout SeededRandom) -> Int {
    let (a, b) = drawPair(among: n, using: &random)
    if isWeighted { return takeTurn(preferredByWeight(a, b)) }
    return preferred(a, b)
  }

  /// The lower load; a tie goes to the first.
  @inline(__always)
  private func preferred(_ a: Int, _ b: Int) -> Int {
    if discipline == .ewma { return PeakEwma.load(slots[b]) < PeakEwma.load(slots[a]) ? b : a }
    return LeastLoaded.load(slots[b]) < LeastLoaded.load(slots[a]) ? b : a
  }

  /// Where weights differ, somebody wants given shares, so load decides only where it differs clearly: by more than
  /// `overruleFactor` in latency or in outstanding requests relative to the weight. Otherwise the one that is farther
  /// behind its share is picked.
  ///
  /// Load alone cannot do it: at low traffic nearly all comparisons are between idle endpoints, where the lower latency
  /// by chance wins and shares drift towards equal. Being behind is measured in virtual time, in which every pick
  /// advances its endpoint by 1/weight; so an endpoint that lost picks to a moment's load gets them back.
  @inline(__always)
  private func preferredByWeight(_ a: Int, _ b: Int) -> Int {
    let relativeA = Double(slots[a].outstanding) * slots[a].inverseWeight + 1
    let relativeB = Double(slots[b].outstanding) * slots[b].inverseWeight + 1
    let costA = slots[a].scaledCost
    let costB = slots[b].scaledCost
    if costA == 0 || costB == 0 {
      // One that has never answered: at once if it is idle, else after all others.
      let loadA = preferenceUnknown(a)
      let loadB = preferenceUnknown(b)
      if loadA != loadB { return loadB < loadA ? b : a }
    } else if discipline == .ewma && max(costA, costB) > Self.overruleFactor * min(costA, costB) {
      return costB * relativeB < costA * relativeA ? b : a
    }
    if relativeB * Self.overruleFactor < relativeA { return b }
    if relativeA * Self.overruleFactor < relativeB { return a }
    return slots[b].pass < slots[a].pass ? b : a
  }

  /// Orders two endpoints of which one has never answered: idle unknown, known, unknown by outstanding requests.
  @inline(__always)
  private func preferenceUnknown(_ slot: Int) -> Double {
    if slots[slot].scaledCost > 0 { return discipline == .ewma ? 0.5 : 0 }
    let outstanding = slots[slot].outstanding
    return outstanding == 0 ? 0 : 1 + Double(outstanding) * slots[slot].inverseWeight
  }

  private static var overruleFactor: Double { 3 }

  /// Turns an endpoint may be behind or ahead of its share, after which the difference is forgotten: one that was slow
  /// for long is not flooded to make up for it.
  private static var turnsOwedMax: Double { 16 }

  @inline(__always)
  private mutating func takeTurn(_ slot: Int) -> Int {
    virtualTime += 1 / Double(members.count)
    let inverse = slots[slot].inverseWeight
    let slack = Self.turnsOwedMax * inverse
    slots[slot].pass = min(max(slots[slot].pass, virtualTime - slack), virtualTime + slack) + inverse
    return slot
  }

  /// Draws until the winner is open and not avoided, `maxEffort` times at most; then looks at all members from a random
  /// one on, so that no request meets a bad endpoint while a good one exists.
  private mutating func drawCarefully(among n: Int, using random: inout SeededRandom, avoiding: SlotSet) -> Int {
    var best = -1
    var bestRank = UInt8.max
    for _ in 0..<maxEffort {
      let winner: Int
      if n == 1 {
        winner = Int(members[0])
      } else {
        let (a, b) = drawPair(among: n, using: &random)
        let rankA = rank(a, avoiding)
        let rankB = rank(b, avoiding)
        if rankA != rankB {
          winner = rankA < rankB ? a : b
        } else {
          winner = isWeighted ? preferredByWeight(a, b) : preferred(a, b)
        }
      }
      let winnerRank = rank(winner, avoiding)
      if winnerRank < bestRank {
        best = winner
        bestRank = winnerRank
      }
      if bestRank == 0 || n == 1 { break }
    }
    if bestRank > 0 { best = scan(from: random.below(members.count), best: best, rank: bestRank, avoiding) }
    return isWeighted ? takeTurn(best) : best
  }

  /// The first member from `start` on with the lowest rank below `rank`; `best` if there is none.
  private func scan(from start: Int, best: Int, rank bestRank: UInt8, _ avoiding: SlotSet) -> Int {
    if avoiding.isEmpty && bestRank == (openCount > 0 ? 0 : busyMembers > 0 ? 1 : 2) { return best }
    var best = best
    var bestRank = bestRank
    var index = start
    for _ in 0..<members.count {
      let slot = Int(members[index])
      let slotRank = rank(slot, avoiding)
      if slotRank < bestRank {
        best = slot
        bestRank = slotRank
        if bestRank == 0 { break }
      }
      index += 1
      if index == members.count { index = 0 }
    }
    return best
  }
}

// MARK: - Turns

extension BalancerState {
  @inline(__always)
  private mutating func nextTurn() -> Int {
    if isWeighted { return schedule.next(&slots) }
    let slot = Int(members[cursor])
    cursor += 1
    if cursor == members.count { cursor = 0 }
    return slot
  }

  /// An endpoint that is passed over loses its turn.
  private mutating func turnCarefully(using random: inout SeededRandom, avoiding: SlotSet) -> Int {
    var best = -1
    var bestRank = UInt8.max
    for _ in 0..<maxEffort {
      let slot = nextTurn()
      let slotRank = rank(slot, avoiding)
      if slotRank < bestRank {
        best = slot
        bestRank = slotRank
      }
      if bestRank == 0 { return best }
    }
    return scan(from: random.below(members.count), best: best, rank: bestRank, avoiding)
  }
}

// MARK: - Ring

extension BalancerState {
  /// Points looked at beyond the owner's.
  private static var ringWalkMax: Int { 256 }

  /// The owner of the hash; the next endpoint on the ring if it is not open, was tried, or has too much to do.
  private func pickOnRing(hash: UInt64, avoiding: SlotSet) -> Int {
    var point = ring.owner(of: hash)
    var best = Int(ring.points[point].slot)
    if allOpen && avoiding.isEmpty && isWithinBound(best) { return best }
    var bestRank = UInt8.max
    var previous = -1
    for _ in 0..<min(ring.points.count, Self.ringWalkMax) {
      let slot = Int(ring.points[point].slot)
      if slot != previous {
        // Too much to do is the lesser evil: it decides among equals.
        let slotRank = rank(slot, avoiding) * 2 + (isWithinBound(slot) ? 0 : 1)
        if slotRank < bestRank {
          best = slot
          bestRank = slotRank
        }
        if bestRank == 0 { return best }
        previous = slot
      }
      point += 1
      if point == ring.points.count { point = 0 }
    }
    if bestRank < 2 { return best }
    let start = Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(members.count)).high)
    return scan(from: start, best: best, rank: bestRank / 2, avoiding)
  }

  /// Consistent hashing with bounded loads: at most `loadBound` times the fair share, rounded up.
  @inline(__always)
  private func isWithinBound(_ slot: Int) -> Bool {
    if ringLoadBound <= 1 { return true }
    let fairShare = Double(totalOutstanding + 1) / (Double(members.count) * slots[slot].inverseWeight)
    // An integer is at most ⌈x⌉ exactly if it is below x + 1.
    return Double(slots[slot].outstanding + 1) < ringLoadBound * fairShare + 1
  }
}
