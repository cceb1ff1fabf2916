import Foundation
import Testing

/// A command that goes on until it is told to end.
final class RunningCommand {
  private let process = Process()
  private let errors = Pipe()
  private(set) var said = ""

  init(_ arguments: String...) throws {
    process.executableURL = Command.products.appendingPathComponent("meshrouter")
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

  /// Asks it to end and waits for that; the exit status.
  func end() -> Int32 {
    process.terminate()
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
}
