/// `${VAR}`, `${VAR:-default}`, `${VAR:?message}` and `${file:PATH}` in a value.
///
/// A dollar sign means something only before `{`, and `$${` stands for `${`, so that dtabs need no escapes.
enum Substitution {
  struct Expanded: Equatable {
    var text: String
    /// What may be shown in place of `text`: the value as written, without defaults.
    var display: String
    /// Something came from a file.
    var usesFile = false
    /// Something was replaced.
    var isSubstituted = false
  }

  struct Problem: Error, Equatable {
    var message: String
    var remedy: String?
    /// Scalars before the `$`.
    var offset: Int
    /// Scalars from the `$` to the closing brace.
    var length: Int
  }

  static func expand(
    _ text: String, environment: (String) -> String?, readFile: (String) throws -> String
  ) -> Result<Expanded, Problem> {
    guard text.utf8.contains(0x24) else { return .success(Expanded(text: text, display: text)) }
    let scalars = Array(text.unicodeScalars)
    var out = Expanded(text: "", display: "")
    var at = 0
    while at < scalars.count {
      guard scalars[at] == "$" else {
        out.text.unicodeScalars.append(scalars[at])
        out.display.unicodeScalars.append(scalars[at])
        at += 1
        continue
      }
      if at + 2 < scalars.count, scalars[at + 1] == "$", scalars[at + 2] == "{" {
        out.text += "${"
        out.display += "${"
        at += 3
        continue
      }
      guard at + 1 < scalars.count, scalars[at + 1] == "{" else {
        out.text += "$"
        out.display += "$"
        at += 1
        continue
      }
      guard let end = scalars[at...].firstIndex(of: "}") else {
        return .failure(
          Problem(
            message: "\"${\" without \"}\"", remedy: "To mean the characters themselves, write \"$${\".", offset: at,
            length: scalars.count - at))
      }
      var inner = ""
      inner.unicodeScalars.append(contentsOf: scalars[(at + 2)..<end])
      let length = end - at + 1
      switch one(inner, environment: environment, readFile: readFile) {
      case .failure(let fault):
        return .failure(Problem(message: fault.message, remedy: fault.remedy, offset: at, length: length))
      case .success(let value):
        out.text += value.text
        out.display += value.display
        out.usesFile = out.usesFile || value.isFile
        out.isSubstituted = true
      }
      at = end + 1
    }
    return .success(out)
  }

  private struct Value {
    var text: String
    var display: String
    var isFile = false
  }

  private struct Fault: Error {
    var message: String
    var remedy: String?
  }

  private static func one(
    _ inner: String, environment: (String) -> String?, readFile: (String) throws -> String
  ) -> Result<Value, Fault> {
    if inner.contains("${") {
      return .failure(Fault(message: "\"${…}\" within \"${…}\"", remedy: "Write one after the other."))
    }
    if inner.hasPrefix("file:") {
      let path = String(inner.dropFirst("file:".count))
      guard !path.isEmpty else {
        return .failure(Fault(message: "no path after \"${file:\"", remedy: "Write ${file:/path/to/file}."))
      }
      do {
        var text = try readFile(path)
        // Editors and `echo` end a file with a line feed which is not part of the secret.
        while text.unicodeScalars.last == "\n" || text.unicodeScalars.last == "\r" { text.unicodeScalars.removeLast() }
        return .success(Value(text: text, display: "${file:\(path)}", isFile: true))
      } catch {
        return .failure(Fault(message: "\(path) cannot be read: \(error)"))
      }
    }
    let name = String(inner.prefix { $0 != ":" })
    guard isVariable(name) else {
      return .failure(
        Fault(
          message: "\"\(name)\" is not the name of an environment variable",
          remedy:
            "Write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:PATH}; \"$${\" for the characters \"${\"."))
    }
    let display = "${\(name)}"
    let value = environment(name)
    let rest = inner.dropFirst(name.count)
    if rest.isEmpty {
      guard let value else {
        return .failure(
          Fault(
            message: "the environment variable \(name) is not set", remedy: "Set it, or write ${\(name):-default}."))
      }
      return .success(Value(text: value, display: display))
    }
    // As in a shell: the colon makes an empty variable count as one that is not set.
    if let value, !value.isEmpty, rest.hasPrefix(":-") || rest.hasPrefix(":?") {
      return .success(Value(text: value, display: display))
    }
    if rest.hasPrefix(":-") { return .success(Value(text: String(rest.dropFirst(2)), display: display)) }
    if rest.hasPrefix(":?") {
      let message = rest.dropFirst(2)
      return .failure(
        Fault(
          message: "the environment variable \(name) is not set or empty" + (message.isEmpty ? "" : ": \(message)")))
    }
    return .failure(
      Fault(
        message: "unexpected \"\(rest)\" after \"${\(name)\"",
        remedy: "Write ${\(name)}, ${\(name):-default} or ${\(name):?message}."))
  }

  private static func isVariable(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return name.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x5f
    }
  }
}
