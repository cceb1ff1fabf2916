import MeshBase
import Testing

@Suite struct NearNamesTests {
  @Test("one slip is found: missing, extra, wrong and swapped letters", arguments: ["prt", "portt", "pork", "oprt"])
  func slips(word: String) { #expect(nearNames(to: word, among: ["port", "label"]) == ["port"]) }

  @Test("the nearest comes first, and nothing far off")
  func order() {
    #expect(nearNames(to: "identifer", among: ["identifier", "identifiers", "interpreter"]).first == "identifier")
    #expect(nearNames(to: "x", among: ["port", "label"]).isEmpty)
  }
}
