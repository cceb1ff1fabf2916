import ArgumentParser
import Config
import MeshRouter
import Net

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Try the router: with small services inside, and nothing to configure.",
    discussion: "Everything ends with Ctrl-C; the files of the demo are removed then.")

  @Option(help: "Port to route on; 0 takes any.")
  var port = 4_140

  @Option(help: "Port of the admin server; 0 takes any.")
  var adminPort = 9_990

  func validate() throws {
    for value in [port, adminPort] where !(0...65_535).contains(value) {
      throw ValidationError("\(value) is no port; use 0 to 65535.")
    }
  }

  func run() throws {
    RunningRouter.prepare()
    let demo: Demo
    do {
      demo = try Demo(ports: Demo.Ports(router: port, admin: adminPort))
    } catch {
      throw CommandFailure(.problem, "the demo cannot start: \(error)")
    }
    defer { demo.cleanUp() }
    let input = ConfigurationInput(name: "the quickstart", text: Quickstart.yaml, environment: demo.environment)
    let configuration = try input.usable(color: false)
    try RunningRouter.run(configuration) { router in
      guard let address = router.serverAddresses.first?.first else { return }
      Console.writeError(Self.banner(demo, router: "\(address)"))
    }
  }

  private static func banner(_ demo: Demo, router: String) -> String {
    let width = demo.services.map(\.name.utf8.count).max() ?? 0
    let services = demo.services.map { name, note in
      "    " + name + String(repeating: " ", count: width - name.utf8.count) + "  " + note
    }
    return """
      \(ProductVersion.description)

        routing    http://\(router)   by the Host header
        discovery  \(demo.directory)/   one file per service, watched
        services   in this process:
      \(services.joined(separator: "\n"))

      Try in another terminal:

        curl -H 'Host: web' \(router)               # a request, routed
        curl -H 'Host: web' \(router)/headers       # as the service sees it
        curl -i -H 'Host: nope' \(router)           # one that fails, and says why

      Ctrl-C stops everything.

      """
  }
}
