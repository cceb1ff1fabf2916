import Testing

@testable import MeshBase

@Suite struct NearNamesTests {
  @Test("one slip is found: missing, extra, wrong and swapped letters", arguments: ["prt", "portt", "pork", "oprt"])
  func slips(word: String) { #expect(nearNames(to: word, among: ["port", "label"]) == ["port"]) }

  @Test("the nearest comes first, and nothing far off")
  func order() {
    #expect(nearNames(to: "identifer", among: ["identifier", "identifiers", "interpreter"]).first == "identifier")
    #expect(nearNames(to: "x", among: ["port", "label"]).isEmpty)
  }

  /// Optimal string alignment by its definition.
  private static func distance(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Int {
    guard let x = a.last, let y = b.last else { return max(a.count, b.count) }
    let (a1, b1) = (a.dropLast(), b.dropLast())
    var least = min(distance(a1, b) + 1, distance(a, b1) + 1, distance(a1, b1) + (x == y ? 0 : 1))
    if a1.last == y, b1.last == x { least = min(least, distance(a1.dropLast(), b1.dropLast()) + 1) }
    return least
  }

  @Test("the distance is that of the definition, up to the limit")
  func definition() {
    let seed = UInt64.random(in: .min ... .max)
    var random = SeededRandom(seed: seed)
    func word() -> String { String((0..<random.below(7)).map { _ in "abc".randomElement(using: &random) ?? "a" }) }
    for _ in 0..<300 {
      let (a, b, limit) = (word(), word(), random.below(5))
      var search = EditDistance(from: a)
      let wanted = Self.distance(Array(a.utf8)[...], Array(b.utf8)[...])
      #expect(
        search.distance(to: b, atMost: limit) == (wanted <= limit ? wanted : nil), "\(a) \(b) \(limit), seed \(seed)")
    }
  }
}
