import MeshBase
import Net

extension AdminServer {
  /// The process itself: alive, ready, what it is, its logs, its end.
  var processRoutes: [AdminRoute] {
    [
      AdminRoute("/admin/ping", "pong, if the process is alive", .always) { _ in .text("pong") },
      AdminRoute("/admin/ready", "200 if requests may come, else 503 and why", .always) { [unowned self] _ in
        if let reason = source.unreadiness { throw AdminFailure(503, "not ready: \(reason)", ["Retry-After": "1"]) }
        return .text("ready")
      },
      AdminRoute("/admin/server_info", "version, host, uptime", .diagnostics) { [unowned self] _ in serverInfo() },
      AdminRoute("/config.json", "the configuration in force", .diagnostics) { [unowned self] _ in
        .json(source.configurationJSON)
      },
      AdminRoute("/admin/logging", "logging levels; POST logger=NAME&level=LEVEL", loggingHandlers),
      AdminRoute("/logging.json", "the same", loggingHandlers),
      AdminRoute(
        "/admin/shutdown", "POST: drain, for at most graceMs, then end",
        [("POST", .control, { [unowned self] in try shutdown($0) })]),
      AdminRoute(
        "/admin/reload", "POST: apply the changed configuration file; ?dryRun says what that would do",
        [
          (
            "POST", .control,
            { [unowned self] call in
              let reload = await source.reload(isPlan: call.query.isOn("dryRun"))
              return .json(status: reload.isAccepted ? 200 : 422, reload.json)
            }
          )
        ]),
      AdminRoute(
        "/admin/upgrade", "POST: let a new process of the program take over",
        [("POST", .control, { [unowned self] in try await upgrade($0) })]),
    ]
  }

  private func shutdown(_ call: AdminCall) throws -> ControlResponse {
    var grace: Int?
    if let text = call.parameter("graceMs") {
      guard let number = Int(text), Self.graceMilliseconds.contains(number) else {
        throw AdminFailure(
          400, "graceMs is \(Self.graceMilliseconds.lowerBound) to \(Self.graceMilliseconds.upperBound)")
      }
      grace = number
    }
    return .text(status: 202, "draining for at most \(source.shutdown(graceMilliseconds: grace)) ms")
  }

  private static let graceMilliseconds = 0...86_400_000

  private func upgrade(_ call: AdminCall) async throws -> ControlResponse {
    let binary = call.parameter("binary")
    if binary != nil && !call.isTrusted {
      throw AdminFailure(
        403,
        "only the owner of admin.socketPath or of admin.token may say which program is run: ask there, "
          + "or put the program where the running one was started from")
    }
    if let binary, !binary.hasPrefix("/") {
      throw AdminFailure(400, "binary must be a whole path, and \"\(binary)\" does not begin with /")
    }
    var timeout: UInt64?
    if let text = call.parameter("timeoutMs") {
      guard let number = UInt64(text), Self.upgradeMilliseconds.contains(number) else {
        throw AdminFailure(
          400, "timeoutMs is \(Self.upgradeMilliseconds.lowerBound) to \(Self.upgradeMilliseconds.upperBound)")
      }
      timeout = number
    }
    let upgrade = await source.upgrade(binary: binary, timeoutMilliseconds: timeout)
    let status =
      switch upgrade.outcome {
      case .done: 200
      case .refused: 409
      case .failed: 422
      }
    return .json(status: status, upgrade.json)
  }

  private static let upgradeMilliseconds: ClosedRange<UInt64> = 100...600_000

  private func serverInfo() -> ControlResponse {
    let process = source.process
    return .json { json in
      json.object { json in
        json.member("name", "meshrouter")
        json.member("version", process.version)
        json.member("host", process.hostName)
        json.member("pid", UInt64(process.processID))
        json.member("startedUnixSeconds", process.startedWallNanoseconds / 1_000_000_000)
        json.member("uptimeMilliseconds", Clock.now.nanoseconds(since: process.startedAt) / 1_000_000)
        json.member("workers", UInt64(process.workers))
        json.key("routers")
        json.array(source.routers) { json, router in
          json.object {
            $0.member("label", router.label)
            $0.member("protocol", router.proto)
            $0.member("namespace", router.namespace)
            $0.key("servers")
            $0.array(router.servers) { $0.element($1) }
          }
        }
        json.key("libraries")
        json.object { for (name, version) in process.libraries { $0.member(name, version) } }
        json.key("problems")
        json.array(source.problems) { $0.element($1) }
      }
    }
  }

  private var loggingHandlers: [(String, AdminRoute.Part, AdminRoute.Handler)] {
    let list: AdminRoute.Handler = { [unowned self] _ in
      .json { json in
        json.array(source.loggers) { json, logger in
          json.object {
            $0.member("logger", logger.name)
            $0.member("level", logger.level)
          }
        }
      }
    }
    let set: AdminRoute.Handler = { [unowned self] call in
      guard let name = call.parameter("logger"), let level = call.parameter("level") else {
        throw AdminFailure(400, "say which: POST \(call.request.path)?logger=NAME&level=LEVEL")
      }
      guard source.setLevel(level.lowercased(), ofLogger: name) else {
        throw AdminFailure(
          404,
          "there is no logger \(name), or no level \(level): loggers are "
            + source.loggers.map(\.name).joined(separator: ", ")
            + "; levels are trace, debug, info, notice, warning, error, critical")
      }
      return .text("\(name): \(level.lowercased())")
    }
    return [("GET", .diagnostics, list), ("POST", .control, set)]
  }
}
