import Config
import MeshRouter
import Net

/// A router in this process, from its start to the signal that ends it.
enum RunningRouter {
  /// Call first thing in a command that will run a router: signals are blocked for every thread that starts later.
  static func prepare() { SignalSource.block(SignalSource.terminating) }

  /// Starts the router, announces it, and returns when it has drained. A second signal does not wait for that. SIGHUP
  /// has `source` read again.
  static func run(
    _ configuration: Configuration, source: ConfigurationSource? = nil,
    announce: @escaping @ControlActor @Sendable (RouterProcess) -> Void
  ) throws {
    prepare()
    // Without a file to read, the hang-up of a terminal ends the process as ever.
    if source != nil { SignalSource.block([SignalSource.reloading]) }
    Host.raiseDescriptorLimit()
    let (router, _) = try start(configuration, source, announce)
    router.waitUntilEnded()
  }

  private static func start(
    _ configuration: Configuration, _ source: ConfigurationSource?,
    _ announce: @escaping @ControlActor @Sendable (RouterProcess) -> Void
  ) throws -> (RouterProcess, SignalSource) {
    do {
      return try ControlActor.runBlocking {
        let router = try await RouterProcess.start(configuration, source: source)
        announce(router)
        let reloading = source == nil ? [] : [SignalSource.reloading]
        let signals = try SignalSource(SignalSource.terminating + reloading) { signal in
          if signal == SignalSource.reloading { return router.reloadLater() }
          if router.isDraining { Console.exit(ExitStatus.problem.rawValue) }
          router.shutdown()
        }
        return (router, signals)
      }
    } catch let error as SystemError where "\(error.call)" == "bind" {
      throw CommandFailure(
        .problem, "\(error)", "See who has the port: ss -ltnp; or choose another one in the configuration.")
    } catch let failure as CommandFailure {
      throw failure
    } catch {
      throw CommandFailure(.problem, "the router cannot start: \(error)")
    }
  }
}
