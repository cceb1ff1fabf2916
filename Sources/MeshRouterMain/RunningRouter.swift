import ArgumentParser
import Config
import MeshRouter
import Net

/// A router in this process, from its start to the signal that ends it.
enum RunningRouter {
  /// Call first thing in a command that will run a router: signals are blocked for every thread that starts later, and
  /// what the process was started with is taken out of its environment. `nil`: that was nothing.
  static func prepare() throws(CommandFailure) -> Inheritance? {
    SignalSource.block(SignalSource.terminating + [SignalSource.upgrading])
    do {
      return try Inheritance.take(Host.takeDescriptorTable())
    } catch {
      throw CommandFailure(
        .problem, "what the process was started with cannot be used: \(error)",
        "Look at the socket unit, or unset LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES.")
    }
  }

  /// Tells the process whose place this one was to take why it cannot.
  static func tell(_ inheritance: Inheritance?, of error: any Error) {
    guard let inheritance, inheritance.isSuccession else { return }
    var reason = (error as? CommandFailure)?.text ?? "\(error)"
    if reason.hasPrefix("error: ") { reason.removeFirst(7) }
    let text = reason
    try? ControlActor.runBlocking { await inheritance.failed(text) }
  }

  /// Starts the router, announces it, and returns when it has drained. A second signal does not wait for that. SIGHUP
  /// has `source` read again, SIGUSR2 has `program` take over.
  static func run(
    _ configuration: Configuration, source: ConfigurationSource? = nil, program: SuccessorProgram? = nil,
    inheritance: Inheritance? = nil, announce: @escaping @ControlActor @Sendable (RouterProcess) -> Void
  ) throws {
    // Without a file to read, the hang-up of a terminal ends the process as ever.
    if source != nil { SignalSource.block([SignalSource.reloading]) }
    Host.raiseDescriptorLimit()
    let (router, _) = try start(configuration, source, program, inheritance, announce)
    router.waitUntilEnded()
  }

  private static func start(
    _ configuration: Configuration, _ source: ConfigurationSource?, _ program: SuccessorProgram?,
    _ inheritance: Inheritance?, _ announce: @escaping @ControlActor @Sendable (RouterProcess) -> Void
  ) throws -> (RouterProcess, SignalSource) {
    do {
      return try ControlActor.runBlocking {
        let router = try await RouterProcess.start(
          configuration, source: source, program: program, inheritance: inheritance)
        announce(router)
        let reloading = source == nil ? [] : [SignalSource.reloading]
        let signals = try SignalSource(
          SignalSource.terminating + [SignalSource.upgrading] + reloading
        ) { signal in
          switch signal {
          case SignalSource.reloading: router.reloadLater()
          case SignalSource.upgrading: router.upgradeLater()
          default:
            if router.isShuttingDown { Console.exit(ExitStatus.problem.rawValue) }
            router.shutdown()
          }
        }
        // Before it is the main process, its predecessor speaks for it.
        if inheritance?.isSuccession != true {
          ServiceManager.current?.tell(.ready, .status("serving, version \(ProductVersion.number)"))
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
