import Net

/// What a script learns from the exit status.
enum ExitStatus: Int32 {
  case ok = 0
  /// The command worked and what it looked at is not well.
  case problem = 1
  /// The arguments make no sense, or name a file that cannot be read.
  case usage = 2
  /// A router's admin server, or something else on the network, does not answer.
  case unreachable = 3
}

/// Ends the command: one sentence on what is wrong, and what to do next.
struct CommandFailure: Error {
  let status: ExitStatus
  /// Empty where everything has been said on standard output.
  let message: String
  let remedies: [String]

  init(_ status: ExitStatus, _ message: String, _ remedies: String...) {
    self.status = status
    self.message = message
    self.remedies = remedies
  }

  /// Everything has been printed; only the status is left to say.
  static let problemShown = CommandFailure(.problem, "")

  var text: String { (["error: " + message] + remedies.map { "       " + $0 }).joined(separator: "\n") }
}

/// The text of a file, or of standard input for `-`.
func inputText(_ path: String) throws(CommandFailure) -> String {
  let bytes: [UInt8]
  do throws(SystemError) {
    bytes = path == "-" ? try Console.readInput() : try FileSystem.read(path)
  } catch {
    throw CommandFailure(.usage, "cannot read \(path): \(SystemError.text(error.code))")
  }
  guard let text = String(validating: bytes, as: UTF8.self) else {
    throw CommandFailure(.usage, "\(path) is not UTF-8 text", "Save it as UTF-8.")
  }
  return text
}
