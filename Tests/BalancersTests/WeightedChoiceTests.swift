import MeshBase
import Testing

@testable import Balancers

@Suite("Weighted choice") struct WeightedChoiceTests {
  @Test(
    "draws in the ratio of the weights",
    arguments: [[1.0], [1, 1], [0.9, 0.1], [1, 2, 4, 0, 8], [1e-300, 1e-300], [1e308, 1e308, 1e308]])
  func ratios(weights: [Double]) {
    var random = SeededRandom(seed: 7)
    let choice = WeightedChoice(weights: weights)
    let draws = 50_000
    var counts = [Int](repeating: 0, count: weights.count)
    for _ in 0..<draws { counts[choice.pick(using: &random)] += 1 }
    let largest = weights.max() ?? 1
    let total = weights.reduce(0) { $0 + $1 / largest }
    let positive = weights.indices.filter { weights[$0] > 0 }
    for index in weights.indices where weights[index] == 0 { #expect(counts[index] == 0) }
    let statistic = chiSquare(
      positive.map { counts[$0] }, expected: positive.map { Double(draws) * (weights[$0] / largest) / total })
    #expect(statistic < chiSquareLimit(freedom: max(1, positive.count - 1)), "\(counts)")
  }

  @Test("senseless weights count as 0; without any weight all are equal")
  func senseless() {
    var random = SeededRandom(seed: 7)
    let choice = WeightedChoice(weights: [.nan, -1, 1, .infinity])
    for _ in 0..<1_000 { #expect(drawn(choice, &random) == 2) }
    let none = WeightedChoice(weights: [0, 0, 0])
    #expect(Set((0..<200).map { _ in drawn(none, &random) }) == [0, 1, 2])
  }

  @Test(
    "the index with a guide draws as the plain sums do, for any weights and prefix", arguments: 0..<30 as Range<UInt64>)
  func index(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let weights = (0..<1 + random.below(40)).map { _ in
      random.below(4) == 0 ? 1e-9 + random.unit() * 1e-6 : random.unit() * 100 + 0.1
    }
    var index = WeightedIndex()
    for weight in weights { index.append(weight: weight) }
    index.makeGuide()
    for draw in 0..<2_000 {
      let prefix = 1 + random.below(weights.count)
      var same = random
      let point = same.unit() * weights[..<prefix].reduce(0, +)
      var sum = 0.0
      let expected = weights[..<prefix].firstIndex { weight in
        sum += weight
        return sum > point
      }
      let drawn = index.draw(prefix: prefix, using: &random)
      #expect(drawn == expected ?? prefix - 1, "seed \(seed) draw \(draw)")
    }
  }

  private func drawn(_ choice: WeightedChoice, _ random: inout SeededRandom) -> Int { choice.pick(using: &random) }
}
