import MeshBase

/// What one reading of a file collects on its way through the tables.
struct Decoding {
  private(set) var diagnostics: [Diagnostic] = []
  /// Canonical key path to what is shown in place of the value.
  var masked: [String: String] = [:]
  /// Where each value that was read stands, by canonical key path.
  private(set) var values: [String: Found] = [:]
  /// Of lists which lost items to errors, the indices in the file of those which are left.
  private(set) var kept: [String: [Int]] = [:]
  /// Canonical key paths at which there is an error.
  private var failed: Set<String> = []
  /// Lines which hold a secret.
  private var secretLines: Set<Int> = []
  /// The value being read is a secret: neither it nor its line is to be shown.
  var isSecret = false
  /// What the prefix of the entry that is being read captures.
  var captures: [String] = []

  struct Found {
    var place: SourcePlace
    /// Its key's place, or its own for an item of a list.
    var keyPlace: SourcePlace
    var trail: KeyTrail
    var node: YAMLNode
    var isSubstituted = false
  }

  /// The file; places in texts are looked up there.
  private let lines: [Substring]
  private let environment: (String) -> String?
  private let readFile: (String) throws -> String

  /// Beyond so many the rest is summed up in one.
  static let diagnosticsMax = 200

  init(text: String, environment: @escaping (String) -> String?, readFile: @escaping (String) throws -> String) {
    lines = sourceLines(text)
    self.environment = environment
    self.readFile = readFile
  }

  mutating func report(
    _ severity: Diagnostic.Severity, _ rule: Diagnostic.Rule, _ trail: KeyTrail, _ place: SourcePlace,
    _ message: String,
    remedy: String? = nil
  ) {
    if severity == .error { failed.insert(trail.canonical) }
    guard diagnostics.count <= Self.diagnosticsMax else { return }
    if diagnostics.count == Self.diagnosticsMax {
      diagnostics.append(
        Diagnostic(
          .error, .tooMany, keyPath: "", line: place.line, column: place.column,
          message: "more than \(Self.diagnosticsMax) problems; the rest is not shown", showsSource: false))
      return
    }
    diagnostics.append(
      Diagnostic(
        severity, rule, keyPath: trail.shown, line: place.line, column: place.column, length: place.length,
        message: message, remedy: remedy, showsSource: !isSecret))
  }

  /// Reports at a value that has been read, or at the top of the file.
  mutating func report(
    _ severity: Diagnostic.Severity, _ rule: Diagnostic.Rule, at canonical: String, _ message: String,
    remedy: String? = nil
  ) {
    guard let found = values[canonical] else {
      let count = diagnostics.count
      let trail = KeyTrail(shown: canonical, canonical: canonical)
      report(severity, rule, trail, SourcePlace(line: 1, column: 1), message, remedy: remedy)
      // Nothing in the first line has to do with it.
      if diagnostics.count > count { diagnostics[count].showsSource = false }
      return
    }
    report(severity, rule, found.trail, found.place, message, remedy: remedy)
  }

  /// The problems in the order of the file.
  var report: [Diagnostic] {
    diagnostics.enumerated()
      .sorted { ($0.element.line, $0.element.column, $0.offset) < ($1.element.line, $1.element.column, $1.offset) }
      .map { _, diagnostic in
        var diagnostic = diagnostic
        if secretLines.contains(diagnostic.line) { diagnostic.showsSource = false }
        return diagnostic
      }
  }

  mutating func note(_ node: YAMLNode, _ trail: KeyTrail, keyPlace: SourcePlace) {
    values[trail.canonical] = Found(place: node.place, keyPlace: keyPlace, trail: trail, node: node)
  }

  mutating func noteKept(_ indices: [Int], of trail: KeyTrail) { kept[trail.canonical] = indices }

  /// Where in the file the item of a list stands that came out at this index.
  func index(_ index: Int, of list: String) -> Int { kept[list].map { $0[index] } ?? index }

  /// Whether no error was found at this very key, so that its value is what the file says.
  func isSound(_ canonical: String) -> Bool { !failed.contains(canonical) }

  /// The place in the file of a character of a text, given the scalars before it; the text's own place if unknown.
  func place(in node: YAMLNode, at offset: Int?) -> SourcePlace {
    guard let offset, case .scalar(let scalar) = node.content else { return node.place }
    return TextPlaces(scalar, node.place, lines).place(at: offset) ?? node.place
  }

  /// The text of a single value with its substitutions made; reports whatever is wrong with it.
  mutating func text(
    _ node: YAMLNode, _ trail: KeyTrail, expected: String
  ) -> (expanded: Substitution.Expanded, scalar: YAMLNode.Scalar)? {
    if isSecret, case .scalar(let scalar) = node.content {
      secretLines.formUnion(node.place.line...max(node.place.line, scalar.lastLine))
    }
    guard case .scalar(let scalar) = node.content else {
      report(.error, .wrongType, trail, node.place, "expected \(expected), found \(node.noun)")
      return nil
    }
    switch Substitution.expand(scalar.text, environment: environment, readFile: readFile) {
    case .success(let expanded):
      if expanded.isSubstituted {
        values[trail.canonical]?.isSubstituted = true
        if expanded.usesFile { masked[trail.canonical] = expanded.display }
      }
      return (expanded, scalar)
    case .failure(let problem):
      var place = place(in: node, at: problem.offset)
      if place != node.place || problem.offset == 0 { place.length = problem.length }
      report(.error, .substitution, trail, place, problem.message, remedy: problem.remedy)
      return nil
    }
  }

  /// How a value may be quoted in a message: as written, or not at all.
  func quoted(_ scalar: YAMLNode.Scalar) -> String {
    if isSecret { return "something else" }
    let clipped = scalar.text.count > 60 ? scalar.text.prefix(60) + "…" : Substring(scalar.text)
    return "\"\(clipped)\""
  }
}

/// The lines of a file without their ends; "\r\n" is one character to Swift, so bytes are split.
func sourceLines(_ text: String) -> [Substring] {
  text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false).map { line in
    Substring(line.last == 0x0d ? line.dropLast() : line)
  }
}

/// Why a text does not fit, and where in it.
struct TextFault {
  var message: String
  var remedy: String?
  /// Scalars before the place; `nil`: the text as a whole.
  var offset: Int?
  var rule: Diagnostic.Rule

  init(_ message: String, _ remedy: String? = nil, at offset: Int? = nil, rule: Diagnostic.Rule = .badValue) {
    self.message = message
    self.remedy = remedy
    self.offset = offset
    self.rule = rule
  }
}

/// `Did you mean "port"?`, if anything is near.
func didYouMean(_ word: String, among candidates: [String]) -> String? {
  // Case alone is a mistake whatever the length.
  if let same = candidates.first(where: { $0.lowercased() == word.lowercased() }) { return "Did you mean \"\(same)\"?" }
  // What all kinds begin with says nothing about nearness.
  let stem = "io.l5d."
  let near =
    word.hasPrefix(stem)
    ? nearNames(
      to: String(word.dropFirst(stem.count)),
      among: candidates.filter { $0.hasPrefix(stem) }.map { String($0.dropFirst(stem.count)) }
    ).map { stem + $0 }
    : nearNames(to: word, among: candidates)
  guard !near.isEmpty else { return nil }
  return "Did you mean " + near.map { "\"\($0)\"" }.joined(separator: " or ") + "?"
}
