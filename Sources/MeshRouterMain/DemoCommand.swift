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

  @Option(help: "Requests per second that the demo sends itself; 0 sends none.")
  var traffic = 40

  @Flag(help: "With a Marathon cluster inside: rolling deploys while requests flow.")
  var cluster = false

  func validate() throws {
    if !(0...10_000).contains(traffic) { throw ValidationError("--traffic is 0 to 10000 requests per second.") }
    for value in [port, adminPort] where !(0...65_535).contains(value) {
      throw ValidationError("\(value) is no port; use 0 to 65535.")
    }
  }

  func run() throws {
    let inheritance = try RunningRouter.prepare()
    if inheritance?.isSuccession == true { throw CommandFailure(.usage, "a demo takes nobody's place") }
    if cluster { return try runCluster() }
    let demo: Demo
    do {
      demo = try Demo(ports: Demo.Ports(router: port, admin: adminPort))
    } catch {
      throw CommandFailure(.problem, "the demo cannot start: \(error)")
    }
    defer { demo.cleanUp() }
    let input = ConfigurationInput(name: "the quickstart", text: Quickstart.yaml, environment: demo.environment)
    let configuration = try input.usable(color: false)
    let traffic = traffic
    try RunningRouter.run(configuration) { router in
      guard let address = router.serverAddresses.first?.first else { return }
      let admin = router.adminAddress?.description
      Console.writeError(Self.banner(demo, router: "\(address)", admin: admin ?? "", traffic: traffic))
      if traffic > 0 {
        Task { @ControlActor in
          await DemoTraffic(to: address).run(requestsPerSecond: traffic) { router.isDraining }
        }
      }
    }
  }

  private func runCluster() throws {
    let (demo, environment): (ClusterDemo, [String: String])
    let ports = Demo.Ports(router: port, admin: adminPort)
    do {
      (demo, environment) = try ControlActor.runBlocking {
        let demo = try ClusterDemo(ports: ports)
        return (demo, demo.environment())
      }
    } catch {
      throw CommandFailure(.problem, "the demo cannot start: \(error)")
    }
    let input = ConfigurationInput(
      name: "the cluster's quickstart", text: ClusterQuickstart.yaml, environment: { environment[$0] })
    let configuration = try input.usable(color: false)
    let traffic = traffic
    try RunningRouter.run(configuration) { router in
      guard let address = router.serverAddresses.first?.first else { return }
      let admin = router.adminAddress?.description ?? ""
      Console.writeError(Self.clusterBanner(demo, router: "\(address)", admin: admin, traffic: traffic))
      Task { @ControlActor in
        try await demo.run(through: router, at: address, requestsPerSecond: traffic) { line in
          Console.writeError("  \(line)\n")
        }
      }
    }
    Console.writeError("  \(try ControlActor.runBlocking { demo.summary })\n")
  }

  @ControlActor
  private static func clusterBanner(_ demo: ClusterDemo, router: String, admin: String, traffic: Int) -> String {
    let option = "http://\(admin)" == AdminOptions.standard ? "" : " --admin http://\(admin)"
    let program = ((try? FileSystem.resolvingLinks("/proc/self/exe")) ?? nil) ?? "this program"
    return """
      \(ProductVersion.description)

        routing    http://\(router)   by the Host header
        admin      http://\(admin)
        Marathon   http://\(demo.marathonAddress)   three nodes, simulated in this process
        apps       \(demo.apps)
        traffic    \(traffic == 0 ? "none" : "\(traffic) requests/s to \(ClusterDemo.name) from the demo itself")

      Try in another terminal, while new versions are deployed:

        # a request, routed to a task of the app /shop/\(ClusterDemo.name); then where it goes and why
        curl -i -H 'Host: \(ClusterDemo.name)' \(router)
        meshrouter why http://\(ClusterDemo.name)/\(option)

        # what Marathon says, and what the router keeps of it
        curl -s 'http://\(demo.marathonAddress)/v2/apps/shop/\(ClusterDemo.name)?embed=app.tasks'
        curl -s http://\(admin)/namer_state/io.l5d.marathon.json

      Here meshrouter is \(program)
      Ctrl-C stops everything.


      """
  }

  private static func banner(_ demo: Demo, router: String, admin: String, traffic: Int) -> String {
    // A command finds the router by itself only at the usual address.
    let program = ((try? FileSystem.resolvingLinks("/proc/self/exe")) ?? nil) ?? "this program"
    let option = "http://\(admin)" == AdminOptions.standard ? "" : " --admin http://\(admin)"
    let width = demo.services.map(\.name.utf8.count).max() ?? 0
    let services = demo.services.map { name, note in
      "    " + name + String(repeating: " ", count: width - name.utf8.count) + "  " + note
    }
    return """
      \(ProductVersion.description)

        routing    http://\(router)   by the Host header
        admin      http://\(admin)
        discovery  \(demo.directory)/   one file per service, watched
        traffic    \(traffic == 0 ? "none" : "\(traffic) requests/s from the demo itself")
        services   in this process:
      \(services.joined(separator: "\n"))

      Try in another terminal:

        # a request, routed; then as the service sees it; then where it goes and why
        curl -H 'Host: web' \(router)
        curl -H 'Host: web' \(router)/headers
        meshrouter why http://web/\(option)

        # one request in ten to web-v2; back to what was before
        echo '/svc/web => 9 * /#/io.l5d.fs/web & 1 * /#/io.l5d.fs/web-v2;' | meshrouter dtab set demo\(option)
        for i in $(seq 20); do curl -s -H 'Host: web' \(router); done
        echo '' | meshrouter dtab set demo\(option)
        meshrouter dtab history demo\(option)

        # a request that fails, and says why
        curl -i -H 'Host: wbe' \(router)
        meshrouter why http://wbe/\(option)

        # the metrics
        curl -s http://\(admin)/admin/metrics/prometheus | grep service_requests

      The same over a cluster, with rolling deploys: meshrouter demo --cluster

      Here meshrouter is \(program)
      Ctrl-C stops everything.

      """
  }
}
