import Config
import MeshBase
import Net

/// What `meshrouter demo` adds to a router: services inside the process, a discovery directory that lists them, and the
/// configuration that ties both to a router.
public final class Demo: Sendable {
  /// Where a caller may want to find things; 0 lets the kernel choose.
  public struct Ports: Sendable {
    public var router: Int
    public var admin: Int

    public init(router: Int = 4_140, admin: Int = 9_990) {
      self.router = router
      self.admin = admin
    }
  }

  private let instances: [DemoInstance]
  /// Made for this run and removed by `cleanUp`.
  public let directory: String
  private let ports: Ports

  /// Starts the services and writes the discovery files.
  public init(ports: Ports = Ports()) throws {
    self.ports = ports
    instances = try DemoBackends.start()
    let temporary = Host.environment("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    directory = "\(temporary)/meshrouter-demo-\(Host.processID)"
    try FileSystem.makeDirectory(directory, mode: 0o700)
    for service in DemoService.all {
      let lines = instances.filter { $0.service.name == service.name }.map { "\($0.address.ip) \($0.address.port)\n" }
      try FileSystem.write(directory + "/" + service.name, Array(lines.joined().utf8))
    }
  }

  /// Variables of the quickstart's configuration.
  public func environment(_ name: String) -> String? {
    switch name {
    case "MESHROUTER_DEMO_DISCO": directory
    case "MESHROUTER_DEMO_PORT": String(ports.router)
    case "MESHROUTER_DEMO_ADMIN_PORT": String(ports.admin)
    default: nil
    }
  }

  /// Removes what `init` wrote, and whatever a user put beside it.
  public func cleanUp() {
    guard let names = try? FileSystem.list(directory).sorted() else { return }
    for name in names { try? FileSystem.remove(directory + "/" + name) }
    try? FileSystem.remove(directory)
  }

  /// Lines for the banner: each service with what is special about it.
  public var services: [(name: String, note: String)] {
    DemoService.all.map { service in
      let count = service.instances == 1 ? "1 instance" : "\(service.instances) instances"
      let delay = service.delayMilliseconds
      if delay.upperBound > 0 {
        return (service.name, "\(count), takes \(delay.lowerBound) to \(delay.upperBound) ms")
      }
      if service.failureShare > 0 {
        return (service.name, "\(count), 1 answer in \(Int((1 / service.failureShare).rounded())) is a 500")
      }
      return (service.name, count)
    }
  }
}
