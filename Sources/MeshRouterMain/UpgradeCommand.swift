import ArgumentParser
import Net

struct UpgradeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upgrade",
    abstract: "Let a new process of the program take a running router's place, without losing a request.",
    discussion: """
      The running router starts the program anew from where it was started, with the same arguments, and hands it its \
      listening sockets. When the new process serves, the old one takes no more callers and ends with the last of those \
      it has. If the new one does not come to serve, the old one goes on, and the command ends with 1.
      """)

  enum Output: String, CaseIterable, ExpressibleByArgument { case text, json }

  @Option(
    help: """
      Another program to run, by its whole path. Only for who asks by the Unix socket or with the admin token.
      """, completion: .file())
  var binary: String?

  @Option(help: "Seconds that the new process has to come up, before it is ended.")
  var timeout = 60

  @Option(name: .shortAndLong, help: "text or json.")
  var output = Output.text

  @OptionGroup var admin: AdminOptions

  func validate() throws {
    if !(1...600).contains(timeout) { throw ValidationError("--timeout is 1 to 600 seconds.") }
    if let binary, !binary.hasPrefix("/") {
      throw ValidationError("--binary must be a whole path; the router may have another working directory than you.")
    }
  }

  func run() throws {
    var path = "/admin/upgrade?timeoutMs=\(timeout * 1_000)"
    if let binary { path += "&binary=" + ControlQuery.encode(binary) }
    let response = try admin.request(
      path, method: "POST", expecting: [409, 422], timeoutMilliseconds: UInt64(timeout) * 1_000 + 10_000)
    if output == .json {
      Console.write(response.text)
      if response.status >= 400 { throw CommandFailure.problemShown }
      return
    }
    let answer = JSONDocument(parsing: response.text)
    guard response.status < 400, let answer, let old = answer["oldPid"]?.integer, let new = answer["newPid"]?.integer
    else { throw CommandFailure(.problem, answer?["problem"]?.text ?? response.text.trimmedEnd) }
    let left = answer["connectionsLeft"]?.integer ?? 0
    let end = answer["endsAtUnixMilliseconds"]?.integer ?? 0
    Console.write(
      """
      process \(new) serves: version \(answer["version"]?.text ?? "unknown"), \(answer["program"]?.text ?? "")
      process \(old) drains: \(left) \(left == 1 ? "connection" : "connections") left, until \
      \(Calendar.text(unixMilliseconds: end)) at the latest

      """)
  }
}
