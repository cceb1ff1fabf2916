/// What is made from the tables of keys: the documentation page and the JSON Schema.
public enum ConfigDocuments {
  /// docs/configuration.md.
  public static var markdown: String {
    var writer = MarkdownWriter()
    return writer.page()
  }

  /// docs/meshrouter.schema.json: draft 2020-12.
  public static var schema: String { SchemaWriter().document.prettyText + "\n" }

  /// The first line of a file that gets completion and checks in editors.
  public static func schemaHint(path: String) -> String { "# yaml-language-server: $schema=\(path)" }
}
