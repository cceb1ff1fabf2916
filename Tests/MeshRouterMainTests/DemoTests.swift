import Foundation
import TestSupport
import Testing

/// A command that goes on until it is told to end.
final class RunningCommand {
  private let process = SpawnedProcess()
  private let errors = Pipe()
  private(set) var said = ""

  init(_ arguments: String...) throws {
    process.executableURL = URL(fileURLWithPath: Products.path("meshrouter"))
    process.arguments = arguments
    process.currentDirectoryURL = Command.root
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
  }

  deinit { if process.isRunning { process.terminate() } }

  /// What `pattern` captures in the first text on standard error that it matches; `nil` if the command ends before.
  func announced(_ pattern: Regex<(Substring, Substring)>) -> String? {
    while true {
      if let match = said.firstMatch(of: pattern) { return String(match.output.1) }
      let data = errors.fileHandleForReading.availableData
      if data.isEmpty { return nil }
      said += String(decoding: data, as: UTF8.self)
    }
  }

  /// Asks it to end, reads what it still has to say and waits for that; the exit status.
  func end() -> Int32 {
    process.terminate()
    said += String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return process.terminationStatus
  }
}

@Suite("the demo and the one-backend router", .serialized)
struct DemoTests {
  private func curl(_ arguments: String) throws -> String {
    try Command.shell("curl -s --noproxy '*' --max-time 10 \(arguments)").text
  }

  @Test("the demo routes to its services and removes its files when it ends")
  func demo() throws {
    let demo = try RunningCommand("demo", "--port", "0", "--admin-port", "0")
    let address = try #require(demo.announced(/routing +http:\/\/(\S+)/))
    let folder = try #require(demo.announced(/discovery +(\S+)/))
    #expect(try curl("-H 'Host: web' \(address)").hasPrefix("hello from web-v1"))
    #expect(try curl("-H 'Host: web-v2' \(address)").hasPrefix("hello from web-v2"))
    #expect(try curl("-H 'Host: web' \(address)/headers").contains("l5d-dst-service: /svc/web"))
    #expect(try curl("-H 'Host: web' --data-binary 'what came' \(address)") == "what came")
    #expect(try curl("-H 'Host: web' -H 'Transfer-Encoding: chunked' -d 'in chunks' \(address)") == "in chunks")
    let failed = try curl("-i -H 'Host: nope' \(address)")
    #expect(failed.contains("502") && failed.contains("l5d-err: bind.neg"), "\(failed)")

    let folderURL = URL(fileURLWithPath: folder)
    try FileManager.default.copyItem(
      at: folderURL.appendingPathComponent("web-v2"), to: folderURL.appendingPathComponent("other"))
    var found = ""
    for _ in 0..<50 where !found.hasPrefix("hello") { found = try curl("-H 'Host: other' \(address)") }
    #expect(found.hasPrefix("hello from web-v2"), "a new file was not seen: \(found)")

    #expect(demo.end() == 0)
    #expect(!FileManager.default.fileExists(atPath: folder))
  }

  @Test("run --to needs no configuration and shows the one it stands for")
  func singleBackend() throws {
    let demo = try RunningCommand("demo", "--port", "0", "--admin-port", "0")
    let folder = try #require(demo.announced(/discovery +(\S+)/))
    let backend = try String(contentsOfFile: folder + "web", encoding: .utf8).split(separator: "\n")[0]
      .replacing(" ", with: ":")
    let router = try RunningCommand("run", "--to", String(backend))
    // Another router may have the port this form always takes; then that is what is said.
    let address = router.announced(/listens on http:\/\/(\S+)/)
    #expect(router.said.contains("/$/inet/127.0.0.1/"))
    if let address {
      #expect(try curl("-H 'Host: whatever' \(address)").hasPrefix("hello from web-v1"))
      #expect(router.end() == 0)
    } else {
      #expect(router.said.contains("4140"))
    }
  }

  @Test("a port that is taken is named, and the command ends with 1")
  func takenPort() throws {
    let demo = try RunningCommand("demo", "--port", "0", "--admin-port", "0")
    let address = try #require(demo.announced(/routing +http:\/\/(\S+)/))
    let port = String(address.split(separator: ":")[1])
    let output = try Command.meshrouter("demo", "--port", port, "--admin-port", "0")
    #expect(output.status == 1)
    #expect(output.errors.contains(":\(port)"), "\(output.errors)")
  }

  @Test("a running router is explained and its dtab edited, compared and rolled back")
  func editing() throws {
    let demo = try RunningCommand("demo", "--port", "0", "--admin-port", "0", "--traffic", "0")
    let router = try #require(demo.announced(/routing +http:\/\/(\S+)/))
    let admin = try #require(demo.announced(/admin +(http:\/\/\S+)/))
    func meshrouter(_ arguments: String) throws -> Command.Output {
      try Command.shell("MESHROUTER_ADMIN=\(admin) meshrouter \(arguments)")
    }
    #expect(try meshrouter("why http://web/").text.contains("verdict    routable"))
    let misspelt = try meshrouter("why http://wbe/")
    #expect(misspelt.status == 1 && misspelt.text.contains("bind.neg") && misspelt.text.contains("/#/io.l5d.fs/web"))
    #expect(try meshrouter("why http://wbe/ -o json").status == 1)
    #expect(try meshrouter("dtab lookup /svc/web").status == 0)
    #expect(try meshrouter("dtab lookup /svc/wbe").status == 1)
    #expect(try meshrouter("dtab get demo").status == 1)

    let set = try Command.shell(
      "echo '/svc/web => /#/io.l5d.fs/web-v2;' | MESHROUTER_ADMIN=\(admin) meshrouter dtab set demo -m 'to v2'")
    #expect(set.status == 0 && set.text.contains("version 1 is in force"), "\(set.text)")
    #expect(try curl("-H 'Host: web' \(router)").hasPrefix("hello from web-v2"))
    #expect(try meshrouter("dtab get demo").text == "/svc/web => /#/io.l5d.fs/web-v2;\n")
    #expect(try meshrouter("dtab ls").text == "demo\n")

    let wrong = try Command.shell("echo '/svc = /x' | MESHROUTER_ADMIN=\(admin) meshrouter dtab set demo")
    #expect(wrong.status == 1 && wrong.text.contains("^"))
    #expect(try meshrouter("dtab set demo --if-version 7 dtabs/canary.dtab").status == 1)
    #expect(try meshrouter("dtab set demo --if-version 1 dtabs/canary.dtab").status == 0)
    #expect(try meshrouter("dtab diff demo --from 1 --to 2").status == 1)
    #expect(try meshrouter("dtab diff demo dtabs/canary.dtab").status == 0)
    #expect(try meshrouter("dtab rollback demo 1").status == 0)
    #expect(try curl("-H 'Host: web' \(router)").hasPrefix("hello from web-v2"))
    let history = try meshrouter("dtab history demo")
    #expect(history.text.contains("rolled back to 1") && history.text.contains("to v2"), "\(history.text)")
    #expect(demo.end() == 0)
    #expect(try meshrouter("why http://web/").status == 3)
  }

  @Test("the demo's own traffic reaches its services")
  func traffic() throws {
    let demo = try RunningCommand("demo", "--port", "0", "--admin-port", "0", "--traffic", "200")
    let admin = try #require(demo.announced(/admin +(http:\/\/\S+)/))
    var count = 0
    for _ in 0..<100 where count < 20 {
      let page = try curl("\(admin)/admin/metrics/prometheus?family=meshrouter_service_requests")
      let successes = page.matches(of: /result="success"\} (\d+)/)
      count = successes.reduce(0) { $0 + (Int($1.output.1) ?? 0) }
    }
    #expect(count >= 20)
    #expect(demo.end() == 0)
  }

  @Test("the cluster's demo deploys a new version while requests flow, and none fails")
  func cluster() throws {
    let demo = try RunningCommand("demo", "--cluster", "--port", "0", "--admin-port", "0", "--traffic", "100")
    let router = try #require(demo.announced(/routing +http:\/\/(\S+)/))
    let admin = try #require(demo.announced(/admin +(http:\/\/\S+)/))
    let marathon = try #require(demo.announced(/Marathon +(http:\/\/\S+)/))
    #expect(try curl("-i -H 'Host: web' \(router)").contains("X-Task: shop_web."))
    #expect(try curl("\(marathon)/v2/apps/shop/web?embed=app.tasks").contains("/shop/web"))
    let why = try Command.shell("MESHROUTER_ADMIN=\(admin) meshrouter why http://web/")
    #expect(why.text.contains("/#/io.l5d.marathon/shop/web") && why.text.contains("routable"), "\(why.text)")
    // Every task of the first version is gone, and the second one answers.
    #expect(demo.announced(/done +running: v2 6 +answered: v1 \d+, v2 (\d+) +failed: 0\n/) != nil, "\(demo.said)")
    #expect(demo.end() == 0)
    #expect(demo.said.firstMatch(of: /\d{3,} requests answered over 2 versions, failed: 0\n$/) != nil, "\(demo.said)")
  }
}
