import ArgumentParser
import Net

struct DrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain",
    abstract: "Have a running router take no more callers, and end with the last of those it has.",
    discussion: """
      The command returns at once; the process ends when its connections have, or when the time is over. Asked again, \
      it can only take less time.
      """)

  @Option(name: .customLong("for"), help: "Seconds at most. By default the router's admin.shutdownGraceMs.")
  var seconds: Int?

  @OptionGroup var admin: AdminOptions

  func validate() throws {
    if let seconds, !(0...86_400).contains(seconds) { throw ValidationError("--for is 0 to 86400 seconds.") }
  }

  func run() throws {
    let path = seconds.map { "/admin/shutdown?graceMs=\($0 * 1_000)" } ?? "/admin/shutdown"
    Console.write(try admin.request(path, method: "POST").text)
  }
}
