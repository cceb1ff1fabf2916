import Foundation

/// A command of the operating system.
public enum Tool {
  public struct Result: Sendable {
    public let status: Int32
    /// Output and error output together.
    public let output: String
  }

  /// Killed after twenty seconds.
  @discardableResult
  public static func run(_ program: String, _ arguments: [String], input: String? = nil, in directory: String = "/tmp")
    -> Result
  {
    let process = SpawnedProcess()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    let standardInput = Pipe()
    process.standardInput = standardInput
    do { try process.run() } catch { return Result(status: -1, output: "\(error)") }
    let killer = DispatchWorkItem { process.terminate() }
    DispatchQueue.global().asyncAfter(deadline: .now() + 20, execute: killer)
    if let input { standardInput.fileHandleForWriting.write(Data(input.utf8)) }
    try? standardInput.fileHandleForWriting.close()
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    killer.cancel()
    return Result(status: process.terminationStatus, output: String(decoding: bytes, as: UTF8.self))
  }

  /// Arguments without blanks of their own.
  @discardableResult
  public static func openssl(_ arguments: String, input: String? = nil, in directory: String = "/tmp") -> Result {
    run("/usr/bin/openssl", arguments.split(separator: " ").map(String.init), input: input, in: directory)
  }
}
