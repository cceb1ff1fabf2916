/// An object that can give memory back while nobody uses it, and takes it again with its next use.
package protocol Parkable: AnyObject {
  /// Set by the list's look; the next use ends it.
  var isResting: Bool { get set }
  /// In the list, for as long as the object is not parked.
  var place: Int { get set }
  /// Gives memory back; false: not now.
  func park() -> Bool
}

/// Those of a worker's objects of one kind that are not parked. Who owns them keeps them alive: an object joins when it
/// comes into being and when it wakes, and leaves when it goes. Confined to one worker.
package final class AwakeList<Member: Parkable> {
  private var members: ContiguousArray<Unmanaged<Member>> = []
  /// Those before it are still to be looked at in this round.
  private var hand = 0

  package init() {}

  package func join(_ member: Member) {
    member.place = members.count
    members.append(.passUnretained(member))
  }

  package func leave(_ member: Member) {
    let last = members.removeLast()
    if member.place == members.count { return }
    members[member.place] = last
    last._withUnsafeGuaranteedRef { $0.place = member.place }
  }

  /// Begins to look at all members, unless a round is under way.
  package func beginRound() {
    if hand == 0 { hand = members.count }
  }

  /// Looks at up to `looks` members, and parks up to `parks` that were not used since the last look. True: the round goes
  /// on.
  package func parkIdle(looks: Int, parks: Int) -> Bool {
    hand = min(hand, members.count)
    let end = max(0, hand - looks)
    var left = parks
    // Downwards: who takes the place of one that goes has been looked at.
    while hand > end && left > 0 {
      hand -= 1
      members[hand]._withUnsafeGuaranteedRef { member in
        if !member.isResting {
          member.isResting = true
        } else if member.park() {
          leave(member)
          left -= 1
        }
      }
    }
    return hand > 0
  }
}
