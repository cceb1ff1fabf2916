/// Reads a configuration; contacts nothing.
public enum ConfigLoader {
  /// - Parameters:
  ///   - text: YAML, or JSON as a subset of it.
  ///   - name: of the file, for messages.
  ///   - environment: the value of a variable, `nil` if it is not set.
  ///   - readFile: the contents of the file at a path, for `${file:PATH}`; its error is shown with `description`.
  ///   - inspectFiles: looks at the files that a configuration without errors names.
  /// - Returns: the configuration unless there is an error, and all problems in the order of the file.
  public static func load(
    text: String, name: String = "configuration", environment: @escaping (String) -> String?,
    readFile: @escaping (String) throws -> String, inspectFiles: (Configuration) -> [FileProblem] = { _ in [] }
  ) -> (configuration: Configuration?, diagnostics: [Diagnostic]) {
    let root: YAMLNode?
    do throws(YAMLProblem) {
      root = try YAMLParser.parse(text)
    } catch {
      let diagnostic = Diagnostic(
        .error, .yamlSyntax, keyPath: "", line: error.place.line, column: error.place.column,
        length: error.place.length, message: error.message, remedy: error.remedy)
      return (nil, [diagnostic])
    }
    guard let root, !root.isNull else {
      let diagnostic = Diagnostic(
        .error, .missingKey, keyPath: "", line: 1, column: 1, message: "\(name) is empty",
        remedy: "The least a configuration has is \"routers: [{protocol: http, servers: [{port: 4140}]}]\".")
      return (nil, [diagnostic])
    }
    var decoding = Decoding(text: text, environment: environment, readFile: readFile)
    var configuration = KeyTables.document.decode(root, .root, &decoding)
    configuration?.maskedValues = decoding.masked
    if let configuration { decoding.check(configuration) }
    // Only of a configuration that could be used are the indices those of the file.
    if let configuration, !decoding.diagnostics.hasErrors {
      for problem in inspectFiles(configuration) {
        decoding.report(problem.severity, .file, at: problem.keyPath, problem.message, remedy: problem.remedy)
      }
    }
    let diagnostics = decoding.report
    return (diagnostics.hasErrors ? nil : configuration, diagnostics)
  }
}

/// What is wrong with a file that a key names.
public struct FileProblem: Sendable, Equatable {
  public var severity: Diagnostic.Severity
  /// Of the key, such as `routers[0].servers[0].tls.certPath`.
  public var keyPath: String
  public var message: String
  public var remedy: String

  public init(_ severity: Diagnostic.Severity, at keyPath: String, _ message: String, remedy: String) {
    self.severity = severity
    self.keyPath = keyPath
    self.message = message
    self.remedy = remedy
  }
}
