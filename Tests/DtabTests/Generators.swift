import Dtab
import MeshBase

/// Random values of every shape the module knows, small enough that names meet.
struct Generator {
  var random: SeededRandom

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  mutating func chance(_ n: Int) -> Bool { random.below(n) == 0 }

  mutating func label() -> Label {
    switch random.below(8) {
    case 0: Label(bytes: (0...random.below(4)).map { _ in UInt8(truncatingIfNeeded: random.next()) })!
    case 1: Label(["#", "$", "*", "/", "%", "~", "..", String(repeating: "x", count: 300)][random.below(8)])
    default: Label(["a", "b", "c", "d"][random.below(4)])
    }
  }

  mutating func path(max: Int = 4) -> Path { Path((0..<random.below(max + 1)).map { _ in label() }) }

  mutating func prefix(max: Int = 3) -> PathPrefix {
    PathPrefix((0..<random.below(max + 1)).map { _ in chance(5) ? .any : .label(label()) })
  }

  mutating func weight() -> Double {
    switch random.below(5) {
    case 0: 1
    case 1: 0
    case 2: Double(random.below(1_000)) / 100
    case 3: random.unit()
    default: Double(bitPattern: random.next() & 0x7fef_ffff_ffff_ffff)
    }
  }

  /// As a parser gives it: no alternation or union of fewer than two.
  mutating func tree(_ depth: Int = 3) -> Tree {
    switch random.below(depth > 0 ? 8 : 5) {
    case 0: .neg
    case 1: chance(2) ? .fail : .empty
    case 2, 3, 4: .leaf(path())
    case 5, 6: .alt((0..<2 + random.below(2)).map { _ in tree(depth - 1) })
    default: .union((0..<2 + random.below(2)).map { _ in Weighted(weight(), tree(depth - 1)) })
    }
  }

  /// As a program may build it.
  mutating func looseTree(_ depth: Int = 4) -> Tree {
    switch random.below(depth > 0 ? 8 : 5) {
    case 0, 1: .neg
    case 2: .fail
    case 3: .empty
    case 4: .leaf(path(max: 1))
    case 5, 6: .alt((0..<random.below(4)).map { _ in looseTree(depth - 1) })
    default: .union((0..<random.below(4)).map { _ in Weighted(weight(), looseTree(depth - 1)) })
    }
  }

  mutating func dtab(max: Int) -> Dtab { Dtab((0..<random.below(max + 1)).map { _ in Dentry(prefix(), tree(2)) }) }
}
