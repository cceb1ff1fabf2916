/// One problem of a configuration: where it is, what it is, what to do.
public struct Diagnostic: Sendable, Equatable {
  public enum Severity: String, Sendable, CaseIterable {
    /// The configuration cannot be used.
    case error
    /// It can be used, and something in it is ignored or dangerous.
    case warning
    /// Something the operator may want to know.
    case hint
  }

  /// The kind of problem: a stable word for tools that filter.
  public enum Rule: String, Sendable, CaseIterable {
    case yamlSyntax = "yaml-syntax"
    case unknownKey = "unknown-key"
    case duplicateKey = "duplicate-key"
    case missingKey = "missing-key"
    case emptyValue = "empty-value"
    case wrongType = "wrong-type"
    case outOfRange = "out-of-range"
    case badValue = "bad-value"
    case unknownKind = "unknown-kind"
    case unsupported = "unsupported"
    case ignoredKey = "ignored-key"
    case substitution = "substitution"
    case dtabSyntax = "dtab-syntax"
    case dtabName = "dtab-name"
    case conflict = "conflict"
    case exposure = "exposure"
    case durability = "durability"
    case file = "file"
    case tooMany = "too-many"
  }

  public var severity: Severity
  public var rule: Rule
  /// Such as `routers[0].servers[0].port`; empty for the file as a whole.
  public var keyPath: String
  /// Counted from 1.
  public var line: Int
  /// Counted from 1, in Unicode scalars.
  public var column: Int
  /// Scalars of the line the problem is about; at least 1.
  public var length: Int
  public var message: String
  public var remedy: String?
  /// False where the line may hold a secret.
  public var showsSource: Bool

  public init(
    _ severity: Severity, _ rule: Rule, keyPath: String, line: Int, column: Int, length: Int = 1, message: String,
    remedy: String? = nil, showsSource: Bool = true
  ) {
    self.severity = severity
    self.rule = rule
    self.keyPath = keyPath
    self.line = line
    self.column = column
    self.length = length
    self.message = message
    self.remedy = remedy
    self.showsSource = showsSource
  }

  /// The message with key path and remedy: one line without the place.
  public var sentence: String {
    (keyPath.isEmpty ? "" : keyPath + ": ") + message + (remedy.map { ". " + $0 } ?? "")
  }
}

extension Sequence<Diagnostic> {
  public func count(of severity: Diagnostic.Severity) -> Int { count { $0.severity == severity } }

  public var hasErrors: Bool { contains { $0.severity == .error } }

  /// "2 errors, 1 warning"; "no problems" when there is neither.
  public var summary: String {
    let parts = Diagnostic.Severity.allCases.compactMap { severity -> String? in
      let count = count(of: severity)
      return count == 0 ? nil : "\(count) \(severity.rawValue)\(count == 1 ? "" : "s")"
    }
    return parts.isEmpty ? "no problems" : parts.joined(separator: ", ")
  }
}
