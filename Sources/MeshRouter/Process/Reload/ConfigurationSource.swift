import Config

/// Where the configuration came from, to be read again.
public struct ConfigurationSource: Sendable {
  /// Of the file, for messages.
  public let name: String
  /// Reads and checks it as at the start; the error says why it cannot be read.
  public let load: @Sendable () throws -> (configuration: Configuration?, diagnostics: [Diagnostic])

  public init(
    name: String, load: @escaping @Sendable () throws -> (configuration: Configuration?, diagnostics: [Diagnostic])
  ) {
    self.name = name
    self.load = load
  }
}
