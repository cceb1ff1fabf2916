import Foundation
import Testing

@Suite("commands that need no router")
struct OfflineCommandTests {
  @Test("the version names the libraries as they were loaded")
  func version() throws {
    let output = try Command.meshrouter("--version")
    #expect(output.status == 0)
    #expect(output.text.hasPrefix("meshrouter "))
    #expect(output.text.contains("OpenSSL ") && output.text.contains("nghttp2 "))
  }

  @Test("a reason word is explained; a misspelt one gets a suggestion")
  func errors() throws {
    let known = try Command.meshrouter("errors", "bind.neg")
    #expect(known.status == 0 && known.text.contains("502"))
    let misspelt = try Command.meshrouter("errors", "bnd.neg")
    #expect(misspelt.status == 2 && misspelt.errors.contains("bind.neg") && misspelt.text.isEmpty)
    #expect(try Command.meshrouter("errors").text.contains("connect.refused"))
  }

  @Test("wrong usage ends with 2 and says how it should be", arguments: [["frob"], ["dtab", "fmt", "--write"]])
  func usage(arguments: [String]) throws {
    let output = try Command.meshrouter(arguments[0], arguments.count > 1 ? arguments[1] : "", arguments.last ?? "")
    #expect(output.status == 2)
    #expect(output.errors.contains("Usage: meshrouter"))
  }

  @Test("a file that is not there ends with 2")
  func missingFile() throws {
    let output = try Command.meshrouter("dtab", "fmt", "/nowhere/x.dtab")
    #expect(output.status == 2)
    #expect(output.errors.contains("/nowhere/x.dtab"))
  }

  @Test("a name that leads nowhere ends with 1")
  func negativeLookup() throws {
    #expect(try Command.meshrouter("dtab", "lookup", "/svc/a", "--dtab", "/srv => /#/fs").status == 1)
    #expect(try Command.meshrouter("dtab", "lookup", "/svc/a", "--dtab", "/svc => /#/fs").status == 0)
    let cycle = try Command.meshrouter("dtab", "lookup", "/a", "--dtab", "/a => /b; /b => /a")
    #expect(cycle.status == 1 && cycle.errors.contains("too many rewriting steps"))
    #expect(cycle.text.count < 4_000)
  }

  @Test("fmt --check tells without changing, --write changes")
  func format() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).dtab")
    defer { try? FileManager.default.removeItem(at: file) }
    try "/a=>/b".write(to: file, atomically: true, encoding: .utf8)
    #expect(try Command.meshrouter("dtab", "fmt", "--check", file.path).status == 1)
    #expect(try Command.meshrouter("dtab", "fmt", "--write", file.path).status == 0)
    #expect(try String(contentsOf: file, encoding: .utf8) == "/a => /b;\n")
    #expect(try Command.meshrouter("dtab", "fmt", "--check", file.path).status == 0)
  }

  @Test("completion scripts are made", arguments: ["bash", "zsh", "fish"])
  func completion(shell: String) throws {
    let output = try Command.meshrouter("completion", shell)
    #expect(output.status == 0)
    #expect(output.text.contains("dtab"))
  }

  static let wrong = """
    routers:
    - protocol: http
      dtab: /svc = /#/io.l5d.fs
      servers:
      - prot: 4140
    """

  @Test("check shows every problem with its place, and ends with 1")
  func check() throws {
    let output = try Command.meshrouter("check", "-", input: Self.wrong)
    #expect(output.status == 1)
    #expect(output.text.contains("5:5") && output.text.contains("\"port\""), "\(output.text)")
    #expect(output.text.contains("3:"), "\(output.text)")
    #expect(output.text.contains("2 errors"), "\(output.text)")
    #expect(output.text.contains("Nothing was contacted"))
  }

  @Test("check speaks to machines", arguments: ["json", "sarif", "github"])
  func checkForMachines(format: String) throws {
    let output = try Command.meshrouter("check", "-", "-o", format, input: Self.wrong)
    #expect(output.status == 1)
    switch format {
    case "github": #expect(output.text.contains("::error file=standard input,line=5,col=5,"))
    default:
      let object = try JSONSerialization.jsonObject(with: Data(output.text.utf8)) as? [String: Any]
      #expect(object?[format == "json" ? "diagnostics" : "runs"] != nil)
    }
  }

  @Test("--strict makes a warning count")
  func strict() throws {
    let exposed = """
      admin: {ip: 0.0.0.0}
      dtabStore: {kind: io.l5d.inMemory}
      routers: [{protocol: http, servers: [{port: 4140}]}]
      """
    let lenient = try Command.meshrouter("check", "-", input: exposed)
    #expect(lenient.status == 0 && lenient.text.contains("warn"), "\(lenient.text)")
    #expect(try Command.meshrouter("check", "-", "--strict", input: exposed).status == 1)
  }

  @Test("a dumped configuration is a configuration")
  func dump() throws {
    let dumped = try Command.meshrouter("config", "dump", "dtabs/http.yaml")
    #expect(dumped.status == 0)
    #expect(try Command.meshrouter("config", "dump", "-", input: dumped.text).text == dumped.text)
    #expect(try Command.meshrouter("config", "dump", "-", input: Self.wrong).status == 1)
  }

  @Test("the schema is the one in docs")
  func schema() throws {
    let path = Command.root.appendingPathComponent("docs/meshrouter.schema.json")
    #expect(try Command.meshrouter("schema", "config").text == String(contentsOf: path, encoding: .utf8))
  }
}
