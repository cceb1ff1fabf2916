import Config
import MeshRouter
import Net

/// A configuration as the commands read it: its text, what is wrong with it, and the value where nothing is.
struct ConfigurationInput {
  /// For messages: the path, or "standard input".
  let name: String
  let text: String
  let configuration: Configuration?
  let diagnostics: [Diagnostic]

  /// Where a packaged router keeps its configuration.
  static let standardPath = "/etc/meshrouter/meshrouter.yaml"

  init(name: String, text: String, environment: @escaping (String) -> String? = Host.environment) {
    self.name = name
    self.text = text
    (configuration, diagnostics) = ConfigLoader.load(
      text: text, name: name, environment: environment,
      readFile: { path in String(decoding: try FileSystem.read(path), as: UTF8.self) },
      inspectFiles: TLSAssembly.inspect)
  }

  /// `nil` reads the standard path; `-` standard input.
  init(path: String?) throws(CommandFailure) {
    if path == nil, (try? FileSystem.status(Self.standardPath)) == nil {
      throw CommandFailure(
        .usage, "no configuration given, and there is no \(Self.standardPath)",
        "Name a file, or - for standard input.", "`meshrouter demo` runs without one.")
    }
    let path = path ?? Self.standardPath
    self.init(name: path == "-" ? "standard input" : path, text: try inputText(path))
  }

  /// Where it is read again while the router runs; `nil` for standard input, which is read once.
  static func source(path: String?) -> ConfigurationSource? {
    let path = path ?? standardPath
    if path == "-" { return nil }
    return ConfigurationSource(name: path) {
      let input = ConfigurationInput(name: path, text: String(decoding: try FileSystem.read(path), as: UTF8.self))
      return (input.configuration, input.diagnostics)
    }
  }

  /// Problems as text for people, with a line that sums them up.
  func report(color: Bool) -> String {
    diagnostics.terminalText(name: name, text: text, color: color)
  }

  /// The value, or an end with status 1 after everything that is wrong was shown.
  func usable(color: Bool) throws(CommandFailure) -> Configuration {
    if let configuration { return configuration }
    throw CommandFailure(
      .problem, "\(name) cannot be used: \(diagnostics.summary)\n" + report(color: color).trimmedEnd)
  }
}

extension String {
  /// Without line ends at its end.
  var trimmedEnd: String {
    var text = Substring(self)
    while text.last?.isNewline == true { text.removeLast() }
    return String(text)
  }
}
