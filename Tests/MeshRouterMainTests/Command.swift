import Foundation

/// The binary that was built with these tests, run as an operator runs it.
enum Command {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Where the build put its products: the folder of the image these tests are in.
  static let products: URL = {
    let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
    let image = maps.split(separator: "\n").map { $0.drop { $0 != "/" } }.first { $0.hasSuffix(".xctest") }
    return image.map { URL(fileURLWithPath: String($0)).deletingLastPathComponent() } ?? root
  }()

  struct Output {
    let status: Int32
    let text: String
    let errors: String
  }

  static func meshrouter(_ arguments: String..., input: String = "") throws -> Output {
    try run(products.appendingPathComponent("meshrouter").path, arguments, input: input)
  }

  /// A line as it stands in a document, with `meshrouter` on the path; both streams together.
  static func shell(_ line: String) throws -> Output {
    try run("/bin/bash", ["-c", "exec 2>&1; PATH=\(products.path):$PATH; \(line)"], input: "")
  }

  private static func run(_ program: String, _ arguments: [String], input: String) throws -> Output {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = root
    let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
    process.standardInput = stdin
    process.standardOutput = stdout
    process.standardError = stderr
    try process.run()
    try? stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try stdin.fileHandleForWriting.close()
    // The outputs of these commands are smaller than a pipe, so that reading one after the other cannot block.
    let text = stdout.fileHandleForReading.readDataToEndOfFile()
    let errors = stderr.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Output(
      status: process.terminationStatus, text: String(decoding: text, as: UTF8.self),
      errors: String(decoding: errors, as: UTF8.self))
  }
}
