import Foundation
import TestSupport

/// The binary that was built with these tests, run as an operator runs it.
enum Command {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  struct Output {
    let status: Int32
    let text: String
    let errors: String
  }

  static func meshrouter(_ arguments: String..., input: String = "") throws -> Output {
    try run(Products.path("meshrouter"), arguments, input: input)
  }

  /// A line as it stands in a document, with `meshrouter` on the path; both streams together.
  static func shell(_ line: String) throws -> Output {
    try run("/bin/bash", ["-c", "exec 2>&1; PATH=\(Products.folder.path):$PATH; \(line)"], input: "")
  }

  private static func run(_ program: String, _ arguments: [String], input: String) throws -> Output {
    let process = SpawnedProcess()
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
