extension Sequence<Diagnostic> {
  /// One JSON object: the file, the counts, the problems in the order of the file.
  public func jsonText(name: String) -> String {
    JSONValue.object([
      "file": .string(name),
      "errors": .int(count(of: .error)),
      "warnings": .int(count(of: .warning)),
      "hints": .int(count(of: .hint)),
      "diagnostics": .array(map(\.json)),
    ]).prettyText + "\n"
  }

  /// Workflow commands, which GitHub Actions shows beside the line they are about.
  public func githubText(name: String) -> String {
    map { diagnostic in
      let command =
        switch diagnostic.severity {
        case .error: "error"
        case .warning: "warning"
        case .hint: "notice"
        }
      let place =
        "file=\(escapedProperty(name)),line=\(diagnostic.line),col=\(diagnostic.column),"
        + "endColumn=\(diagnostic.column + diagnostic.length),title=\(diagnostic.rule.rawValue)"
      return "::\(command) \(place)::\(escapedData(diagnostic.sentence))\n"
    }.joined()
  }

  /// SARIF 2.1.0 with one run.
  ///
  /// - Parameter version: the program's own, as the report names its maker.
  public func sarifText(name: String, version: String) -> String {
    let used = Diagnostic.Rule.allCases.filter { rule in contains { $0.rule == rule } }
    let rules = used.map { rule in
      JSONValue.object(["id": .string(rule.rawValue), "shortDescription": .object(["text": .string(rule.summary)])])
    }
    let results = map { diagnostic in
      let level =
        switch diagnostic.severity {
        case .error: "error"
        case .warning: "warning"
        case .hint: "note"
        }
      let region = JSONValue.object([
        "startLine": .int(diagnostic.line), "startColumn": .int(diagnostic.column),
        "endColumn": .int(diagnostic.column + diagnostic.length),
      ])
      return JSONValue.object([
        "ruleId": .string(diagnostic.rule.rawValue),
        "level": .string(level),
        "message": .object(["text": .string(diagnostic.sentence)]),
        "locations": .array([
          .object([
            "physicalLocation": .object([
              "artifactLocation": .object(["uri": .string(uriReference(name))]), "region": region,
            ]),
            "logicalLocations": .array([.object(["fullyQualifiedName": .string(diagnostic.keyPath)])]),
          ])
        ]),
      ])
    }
    return JSONValue.object([
      "$schema": .string("https://json.schemastore.org/sarif-2.1.0.json"),
      "version": .string("2.1.0"),
      "runs": .array([
        .object([
          "tool": .object([
            "driver": .object([
              "name": .string("meshrouter"), "version": .string(version), "rules": .array(rules),
            ])
          ]),
          "columnKind": .string("unicodeCodePoints"),
          "results": .array(results),
        ])
      ]),
    ]).prettyText + "\n"
  }

  private func escapedData(_ text: String) -> String {
    escaped(text) { $0 == "%" || $0 == "\r" || $0 == "\n" }
  }

  private func escapedProperty(_ text: String) -> String {
    escaped(text) { $0 == "%" || $0 == "\r" || $0 == "\n" || $0 == ":" || $0 == "," }
  }

  /// A file name as a relative or absolute URI reference (RFC 3986 §4.2).
  private func uriReference(_ name: String) -> String {
    let path = escaped(name) { scalar in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "-", ".", "_", "~", "/", "!", "$", "&", "'", "(", ")", "*", "+", ",", ";",
        "=", "@":
        false
      default: true
      }
    }
    return name.hasPrefix("/") ? "file://" + path : path
  }

  private func escaped(_ text: String, _ needsEscape: (Unicode.Scalar) -> Bool) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      guard needsEscape(scalar) else {
        out.unicodeScalars.append(scalar)
        continue
      }
      for byte in String(scalar).utf8 {
        out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }
    return out
  }
}

extension Diagnostic {
  fileprivate var json: JSONValue {
    .object([
      "severity": .string(severity.rawValue),
      "rule": .string(rule.rawValue),
      "keyPath": .string(keyPath),
      "line": .int(line),
      "column": .int(column),
      "length": .int(length),
      "message": .string(message),
      "remedy": remedy.map { .string($0) } ?? .null,
    ])
  }
}

extension Diagnostic.Rule {
  /// What the rule asks for, in one sentence.
  var summary: String {
    switch self {
    case .yamlSyntax: "The file is one well-formed YAML document."
    case .unknownKey: "Each key is one the router knows."
    case .duplicateKey: "A key appears once in a mapping."
    case .missingKey: "Required keys are there."
    case .emptyValue: "A key that is written has a value."
    case .wrongType: "A value has the type of its key."
    case .outOfRange: "A number lies within its key's range."
    case .badValue: "A value has the form its key asks for."
    case .unknownKind: "A kind is one the router knows."
    case .unsupported: "This version can do what is asked for."
    case .ignoredKey: "A key has an effect."
    case .substitution: "${…} can be replaced."
    case .dtabSyntax: "A dtab can be parsed."
    case .dtabName: "A dtab uses namers which exist."
    case .conflict: "Labels, prefixes and addresses are unique."
    case .exposure: "What others can reach is protected."
    case .durability: "Edits outlive the process."
    case .file: "Files which are named exist, and hold what they should."
    case .tooMany: "The report is complete."
    }
  }
}
