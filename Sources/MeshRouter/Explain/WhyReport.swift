import Dtab
import MeshBase
import Namers

/// Why a request goes where it goes, or nowhere: each step from identifying to picking, by the code that routes.
public struct WhyReport: Sendable {
  public struct Target: Sendable {
    public struct Candidate: Sendable {
      public var address: String
      public var weight: Double
      /// `nil` where no worker has met the endpoint yet.
      public var costMilliseconds: Double?
      public var inFlight: Int
      public var idleConnections: Int
      /// As the worker that leaves it out sees it: `open`, `busy` or `closed`.
      public var status: String
      /// Why it is passed over or spared, and until when; `nil` if it is not.
      public var health: String?
    }
    /// Of the requests, 0 to 1.
    public var share: Double
    /// Bound id; `nil` for an empty branch.
    public var id: String?
    public var residual: String
    /// Entries of `client.configs` whose keys are in force; empty unless settings differ by name.
    public var settings: [String] = []
    public var candidates: [Candidate]
    /// Milliseconds since the source of the endpoints began to fail; the last good set is in use.
    public var staleMilliseconds: UInt64?
  }

  public var router: String
  public var request: String
  /// What the identifier made of the request; empty if none could name it.
  public var name = ""
  public var overrides = ""
  /// Entries of `service.configs` whose keys are in force; empty unless settings differ by name.
  public var settings: [String] = []
  /// A step of the route a line: path, entry, outcome.
  public var steps: [String] = []
  public var nearNames: [String] = []
  public var targets: [Target] = []
  /// Why it cannot be routed; `nil` if it can.
  public var reason: Reason?
  public var detail = ""

  public var isRoutable: Bool { reason == nil }
}

extension WhyReport {
  /// For people, as the command prints it.
  public var text: String {
    var lines = ["request    \(request)", "identify   router \(router)  → \(name.isEmpty ? "nothing" : name)"]
    if !overrides.isEmpty { lines.append("override   \(overrides)") }
    for (index, entry) in settings.enumerated() { lines.append((index == 0 ? "service    " : "           ") + entry) }
    for (index, step) in steps.enumerated() { lines.append((index == 0 ? "bind       " : "           ") + step) }
    for target in targets {
      let share = targets.count > 1 ? "  \(percent(target.share)) of requests" : ""
      lines.append("bound      \(target.id ?? "$ (empty)")\(share)")
      if !target.residual.isEmpty { lines.append("           residual \(target.residual)") }
      for (index, entry) in target.settings.enumerated() {
        lines.append((index == 0 ? "client     " : "           ") + entry)
      }
      if let stale = target.staleMilliseconds { lines.append("           endpoints are stale for \(stale) ms") }
      for (index, candidate) in target.candidates.enumerated() {
        let cost = candidate.costMilliseconds.map { "cost \(rounded($0)) ms, " } ?? "not met yet, "
        let health = candidate.health.map { " (\($0))" } ?? ""
        let weight = candidate.weight == 1 ? "" : "weight \(rounded(candidate.weight)), "
        lines.append(
          (index == 0 ? "pick       " : "           ")
            + "\(candidate.address)  \(weight)\(cost)\(candidate.inFlight) in flight, "
            + "\(candidate.idleConnections) idle connection\(candidate.idleConnections == 1 ? "" : "s")  "
            + candidate.status + health)
      }
    }
    if let reason {
      lines.append("verdict    \(reason.rawValue): a caller would get \(reason.status). \(detail)")
      if !nearNames.isEmpty { lines.append("           near names: " + nearNames.joined(separator: ", ")) }
      lines.append("           more: meshrouter errors \(reason.rawValue)")
    } else {
      lines.append("verdict    routable. Nothing was sent.")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// One object; members are only ever added.
  public var json: String {
    var json = JSONText()
    json.object {
      $0.member("router", router)
      $0.member("request", request)
      $0.member("name", name)
      $0.member("overrides", overrides)
      $0.key("settings")
      $0.array(settings) { $0.element($1) }
      $0.key("steps")
      $0.array(steps) { $0.element($1) }
      $0.member("routable", isRoutable)
      $0.member("reason", reason?.rawValue)
      $0.member("status", reason.map { UInt64($0.status) })
      $0.member("detail", detail)
      $0.key("nearNames")
      $0.array(nearNames) { $0.element($1) }
      $0.key("targets")
      $0.array(targets) { json, target in
        json.object {
          $0.member("share", target.share)
          $0.member("id", target.id)
          $0.member("residual", target.residual)
          $0.member("staleMilliseconds", target.staleMilliseconds)
          $0.key("settings")
          $0.array(target.settings) { $0.element($1) }
          $0.key("endpoints")
          $0.array(target.candidates) { json, candidate in
            json.object {
              $0.member("address", candidate.address)
              $0.member("weight", candidate.weight)
              if let cost = candidate.costMilliseconds { $0.member("costMilliseconds", cost) }
              $0.member("inFlight", UInt64(candidate.inFlight))
              $0.member("idleConnections", UInt64(candidate.idleConnections))
              $0.member("status", candidate.status)
              if let health = candidate.health { $0.member("health", health) }
            }
          }
        }
      }
    }
    return json.text
  }

  private func percent(_ share: Double) -> String { "\(rounded(share * 100)) %" }

  private func rounded(_ value: Double) -> String {
    let hundredths = (value * 100).rounded()
    return hundredths.truncatingRemainder(dividingBy: 100) == 0 ? "\(Int(hundredths / 100))" : "\(hundredths / 100)"
  }
}
