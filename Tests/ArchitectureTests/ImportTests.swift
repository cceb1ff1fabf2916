import Testing

@Suite("imports follow the module graph")
struct ImportTests {
  /// A module imports modules of lower levels only; those of its own level do not know each other.
  static let levels: [String: Int] = [
    "MeshBase": 0,
    "Dtab": 1, "Balancers": 1, "Resilience": 1, "Telemetry": 1,
    "HTTP": 2,
    "Net": 3,
    "Admin": 4, "Namers": 4, "DtabStore": 4, "Config": 4, "ClusterSim": 4,
    "MeshRouter": 5,
    "MeshRouterMain": 6,
  ]

  /// What is not ours: who may import it. What is not listed, nobody may.
  static let outside: [String: Set<String>] = [
    // The kernel is called by Net alone.
    "Glibc": ["Net"],
    "CMeshShims": ["MeshBase", "Telemetry", "HTTP", "Net", "MeshRouter"],
    "CYaml": ["Config"],
    "CZlib": ["Net"],
    "CAres": ["Namers"],
    "CNghttp2": ["HTTP"],
    "COpenSSL": ["Net"],
    "Logging": ["Admin", "Namers", "DtabStore", "MeshRouter", "MeshRouterMain"],
    "ArgumentParser": ["MeshRouterMain"],
    "FoundationEssentials": ["Namers"],
    "Synchronization": ["MeshBase", "Resilience", "Telemetry", "Net", "Admin", "Namers", "DtabStore", "MeshRouter"],
  ]

  struct Import {
    let module: String
    let file: String
    let line: Int
    let imported: String
  }

  static func imports(of line: Substring) -> String? {
    var words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
    while let first = words.first, first.hasPrefix("@") || ["public", "package", "internal", "private"].contains(first)
    {
      words.removeFirst()
    }
    guard words.count >= 2, words[0] == "import" else { return nil }
    // `import struct Net.Descriptor` names the module after the kind.
    let kinds = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
    let name = kinds.contains(words[1]) && words.count >= 3 ? words[2] : words[1]
    return String(name.prefix { $0 != "." && $0 != ";" })
  }

  static func all() throws -> [Import] {
    try Repository.files(in: "Sources", suffixes: [".swift"]).flatMap { file in
      let module = file.split(separator: "/")[1]
      return try Repository.lines(file).enumerated().compactMap { index, line in
        imports(of: line).map { Import(module: String(module), file: file, line: index + 1, imported: $0) }
      }
    }
  }

  @Test("an import line is read whatever stands before the module's name")
  func reading() {
    #expect(Self.imports(of: "import Net") == "Net")
    #expect(Self.imports(of: "  @testable import Dtab") == "Dtab")
    #expect(Self.imports(of: "public import struct Net.Descriptor") == "Net")
    #expect(Self.imports(of: "let x = 1  // import Net") == nil)
  }

  @Test("each folder of Sources has a place in the graph")
  func everyModuleHasALevel() throws {
    for file in Repository.files(in: "Sources", suffixes: [".swift"]) {
      let module = String(file.split(separator: "/")[1])
      #expect(Self.levels[module] != nil, "\(file): no level for \(module)")
    }
  }

  @Test("imports point down")
  func importsPointDown() throws {
    let imports = try Self.all()
    #expect(imports.count > 20, "the sources were not found")
    for found in imports {
      let place = "\(found.file):\(found.line)"
      if let level = Self.levels[found.imported] {
        let own = try #require(Self.levels[found.module])
        #expect(level < own, "\(place): \(found.module) (level \(own)) imports \(found.imported) (level \(level))")
      } else {
        let permitted = Self.outside[found.imported, default: []].contains(found.module)
        #expect(permitted, "\(place): \(found.module) may not import \(found.imported)")
      }
    }
  }

  @Test("each dependency Package.swift declares between modules points down")
  func packageAgrees() throws {
    let lines = try Repository.lines("Package.swift")
    let declared = lines.filter { $0.hasPrefix("    module(\"") }
    #expect(declared.count >= 10)
    for line in declared {
      let names = line.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
        .filter { $0.offset % 2 == 1 }.map { String($0.element) }
      guard let module = names.first, let own = Self.levels[module] else { continue }
      for name in names.dropFirst() {
        if let level = Self.levels[name] { #expect(level < own, "Package.swift: \(module) depends on \(name)") }
      }
    }
  }
}
