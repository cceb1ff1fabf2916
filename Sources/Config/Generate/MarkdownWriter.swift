/// Writes the page about all keys.
struct MarkdownWriter {
  /// The section which already describes a set of kinds.
  private var described: [[String]: String] = [:]

  private static let introduction = """
    # Configuration

    One YAML file (JSON is a subset) with linkerd's keys and some of our own. `meshrouter check FILE` reads it without
    contacting anything and shows every problem at once, each with its line; `meshrouter run FILE` refuses a file with
    errors. The smallest useful file:

    ```yaml
    routers:
    - protocol: http
      dtab: /svc => /#/io.l5d.fs
      servers:
      - port: 4140
    namers:
    - kind: io.l5d.fs
      rootDir: /etc/meshrouter/disco
    ```

    For completion and checks in an editor, make this the file's first line, with the path to
    [meshrouter.schema.json](meshrouter.schema.json):

    ```yaml
    # yaml-language-server: $schema=./meshrouter.schema.json
    ```

    ## Values from the environment and from files

    They are replaced in values, never in keys or kinds. What came from a file, and text from the environment, is
    not shown by `/config.json`.

    | written | becomes |
    | --- | --- |
    | `${VAR}` | the environment variable; an error if it is not set |
    | `${VAR:-default}` | the variable, or `default` if it is not set or empty |
    | `${VAR:?message}` | the variable, or an error with the message |
    | `${file:PATH}` | the file's contents without line feeds at its end |
    | `$${` | the characters `${`; any other `$` stands for itself, so dtabs need no escapes |

    ## Reading the tables

    Durations are in the unit that ends the key: `Ms` milliseconds, `Secs` and `Seconds` seconds. `KB` is 1024 bytes.
    An "integer, 0 = none" is a bound that 0 switches off. *Since* tells linkerd's keys from ours. A key that is not
    listed is an error.

    This page is the output of `meshrouter schema config --markdown`.

    """

  mutating func page() -> String {
    var out = Self.introduction
    guard case .object(let keys) = KeyTables.document.shape else { return out }
    section("", title: "Top level", keys, to: &out, level: 2)
    return out
  }

  private mutating func section(
    _ path: String, title: String, _ keys: [KeyShape], to out: inout String, level: Int, introduction: String = ""
  ) {
    out += "\n" + String(repeating: "#", count: level) + " " + title + "\n\n" + introduction
    table(keys, path, to: &out)
    for key in keys {
      if case .active = key.state { nested(key.shape, KeyTrail.join(path, key.name), key.meaning, to: &out) }
    }
  }

  /// Sections for whatever has keys of its own below this value.
  private mutating func nested(_ shape: Shape, _ path: String, _ meaning: String, to out: inout String) {
    switch shape {
    case .list(let item): nested(item, path + "[]", meaning, to: &out)
    case .oneOrList(let item): nested(item, path, meaning, to: &out)
    case .object(let keys): section(path, title: "`\(path)`", keys, to: &out, level: path.contains(".") ? 3 : 2)
    case .perName(let keys, let entry):
      let own = entry.filter { key in !keys.contains { $0.name == key.name } }
      section(
        path, title: "`\(path)`", keys, to: &out, level: path.contains(".") ? 3 : 2,
        introduction: perName(own))
    case .kinds(let kinds, let fallback):
      out += "\n" + (path.contains(".") ? "###" : "##") + " `\(path)`\n\n\(meaning)\n\n"
      if let other = described[kinds.map(\.kind)] {
        out += "The same kinds as [`\(other)`](#\(anchor(other))).\n"
        return
      }
      described[kinds.map(\.kind)] = path
      out += "One of these kinds" + (fallback.map { "; `\($0)` if `kind` is not written" } ?? "") + ":\n\n"
      out += "| kind | meaning | since |\n| --- | --- | --- |\n"
      for kind in kinds { out += "| `\(kind.kind)` | \(cell(kind.meaning)) | \(word(kind.origin)) |\n" }
      for kind in kinds where kind.keys.contains(where: isWorthALine) {
        out += "\nKeys of `\(kind.kind)`:\n\n"
        table(kind.keys, path, to: &out)
      }
      // A key of several kinds, such as `transformers`, is described once.
      var seen: Set<String> = []
      for key in kinds.flatMap(\.keys) where seen.insert(key.name).inserted {
        if case .active = key.state { nested(key.shape, KeyTrail.join(path, key.name), key.meaning, to: &out) }
      }
    case .map, .boolean, .integer, .limit, .number, .text, .choice: break
    }
  }

  /// - Parameter own: what an entry has besides the keys of the section.
  private func perName(_ own: [KeyShape]) -> String {
    var text = """
      With `kind: io.l5d.global`, or without `kind`, these keys hold for all names. With `kind: io.l5d.static` there is
      nothing but `configs`, a list of entries, each with some of these keys and

      | key | type | default | unit | meaning | since |
      | --- | --- | --- | --- | --- | --- |

      """
    for key in own { text += row(key, link: key.shape.noun) }
    return text + """

      Every entry whose prefix covers a name sets its keys for it; where several do, a later entry's keys replace those of
      an earlier one, each as a whole. In a prefix `*` is any one label, and `{capture}` any text within one; `/` covers
      all names.


      """
  }

  private func table(_ keys: [KeyShape], _ path: String, to out: inout String) {
    let active = keys.filter { if case .active = $0.state { true } else { false } }
    if !active.isEmpty {
      out += "| key | type | default | unit | meaning | since |\n| --- | --- | --- | --- | --- | --- |\n"
      for key in active { out += row(key, link: link(key, path)) }
    }
    let others = keys.filter { if case .active = $0.state { false } else { isWorthALine($0) } }
    if !others.isEmpty {
      out +=
        (active.isEmpty ? "" : "\n")
        + "linkerd's keys without effect here:\n\n| key | result | instead |\n| --- | --- | --- |\n"
      for key in others {
        switch key.state {
        case .ignored(let instead): out += "| `\(key.name)` | ignored | \(cell(instead)) |\n"
        case .refused(let instead): out += "| `\(key.name)` | error | \(cell(instead)) |\n"
        case .active: break
        }
      }
    }
  }

  private func row(_ key: KeyShape, link type: String) -> String {
    "| `\(key.name)` | \(cell(type)) | \(cell(defaultText(key))) | \(key.unit ?? "") | \(cell(key.meaning)) | "
      + word(key.origin) + " |\n"
  }

  /// What is accepted in silence and without a reason goes with its kind.
  private func isWorthALine(_ key: KeyShape) -> Bool { !key.meaning.isEmpty }

  private func link(_ key: KeyShape, _ path: String) -> String {
    func target(_ shape: Shape, _ path: String) -> String? {
      switch shape {
      case .object, .kinds, .perName: path
      case .list(let item): target(item, path + "[]")
      case .oneOrList(let item): target(item, path)
      default: nil
      }
    }
    guard let target = target(key.shape, KeyTrail.join(path, key.name)) else { return key.shape.noun }
    return "[\(key.shape.noun)](#\(anchor(target)))"
  }

  /// What GitHub makes of a heading.
  private func anchor(_ heading: String) -> String {
    String(
      heading.lowercased().unicodeScalars.filter { scalar in
        scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || scalar == "-" || scalar == "_"
      }.map(Character.init))
  }

  private func defaultText(_ key: KeyShape) -> String {
    if key.isRequired { return "**required**" }
    if let note = key.defaultNote { return note }
    switch (key.shape, key.defaultValue) {
    case (.limit, .int(0)), (_, nil): return "none"
    case (.object, _), (.perName, _): return ""
    case (.list, .array(let items)) where items.isEmpty: return "none"
    case (.oneOrList(.kinds), .array(let items)): return items.first.map(kind) ?? "none"
    case (.kinds, let value?): return kind(value)
    case (.text, .string("")): return "empty"
    case (_, let value?): return "`\(unquoted(value))`"
    }
  }

  private func kind(_ value: JSONValue) -> String {
    guard case .object(let members) = value, case .string(let kind) = members.first?.value else { return "" }
    return "`\(kind)`"
  }

  private func unquoted(_ value: JSONValue) -> String {
    if case .string(let text) = value { text } else { value.compactText }
  }

  private func word(_ origin: KeyShape.Origin) -> String { origin == .linkerd ? "linkerd" : "ours" }

  private func cell(_ text: String) -> String {
    text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
  }
}
