import Testing

@testable import Balancers

@Suite("Slots tried before") struct SlotSetTests {
  @Test("holds what was put in, zero included, and nothing else")
  func membership() {
    var set = SlotSet()
    #expect(set.isEmpty && !set.contains(0))
    set.insert(0)
    set.insert(65_534)
    set.insert(0)
    #expect(set.count == 2 && set.contains(0) && set.contains(65_534) && !set.contains(1) && !set.isEmpty)
  }

  @Test("forgets the oldest when full")
  func overflow() {
    var set = SlotSet()
    for slot in 10..<19 { set.insert(slot) }
    #expect(set.count == SlotSet.capacity)
    #expect(!set.contains(10))
    for slot in 11..<19 { #expect(set.contains(slot)) }
  }
}
