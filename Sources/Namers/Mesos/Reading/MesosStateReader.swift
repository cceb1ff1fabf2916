import HTTP
import MeshBase

/// Why an answer to `GET /state` is of no use.
enum MesosStateError: Error, Equatable, CustomStringConvertible {
  /// An old master answers though it does not lead; who does, if it says so.
  case notLeading(leader: String?)
  case json(JSONError)
  /// The answer broke off.
  case transport(String)

  var description: String {
    switch self {
    case .notLeading(let leader?): "this master does not lead, \(leader) does"
    case .notLeading(nil): "this master does not lead and knows no leader"
    case .json(let error): "the answer to /state is malformed: \(error)"
    case .transport(let text): text
    }
  }
}

/// Reads `GET /state` as it comes and tells the model, element by element.
struct MesosStateReader {
  private enum Place: Int, CaseIterable {
    case pid, leader
    case agents, recoveredAgents, frameworkID, frameworkName, frameworkURL, tasks, unreachableTasks, orphanTasks

    var path: String {
      switch self {
      case .pid: "pid"
      case .leader: "leader"
      case .agents: "slaves"
      case .recoveredAgents: "recovered_slaves"
      case .frameworkID: "frameworks.id"
      case .frameworkName: "frameworks.name"
      case .frameworkURL: "frameworks.webui_url"
      case .tasks: "frameworks.tasks"
      case .unreachableTasks: "frameworks.unreachable_tasks"
      case .orphanTasks: "orphan_tasks"
      }
    }
  }

  private var elements = JSONElementSplitter(paths: Place.allCases.map(\.path))
  private var facts = Facts()
  /// Elements that could not be read, and the last one's fault.
  var malformedCount: UInt64 { facts.malformedCount }
  var lastMalformed: JSONError? { facts.lastMalformed }

  private struct Facts {
    var pid: String?
    var leader: String?
    var isReporting = false
    var isRefused = false
    /// Each framework has one of both, in either order.
    var frameworkID: String?
    var frameworkName: String?
    /// The last of which both were known: what a master writes of a framework behind them is about it.
    var framework: MesosFrameworkReport?
    var malformedCount: UInt64 = 0
    var lastMalformed: JSONError?
  }

  mutating func feed(
    _ piece: Span<UInt8>, into model: MesosModel, at now: MonotonicInstant
  ) throws(MesosStateError) {
    var facts = self.facts
    defer { self.facts = facts }
    do throws(JSONError) {
      try elements.feed(piece) { (path, element) throws(JSONError) in
        if facts.isRefused { return }
        do throws(JSONError) {
          try Self.take(Place(rawValue: path)!, element, model, now, &facts)
        } catch {
          facts.malformedCount += 1
          facts.lastMalformed = error
        }
      }
    } catch {
      throw .json(error)
    }
    if facts.isRefused { throw .notLeading(leader: facts.leader) }
  }

  /// The answer has ended.
  mutating func finish(into model: MesosModel) throws(MesosStateError) {
    do throws(JSONError) { try elements.finish() } catch { throw .json(error) }
    if !facts.isReporting, !Self.leads(facts) { throw .notLeading(leader: facts.leader) }
    if !facts.isReporting { model.beginSnapshot() }
    model.endSnapshot()
  }

  private static func leads(_ facts: Facts) -> Bool { facts.leader != nil && facts.leader == facts.pid }

  private static func take(
    _ place: Place, _ element: Span<UInt8>, _ model: MesosModel, _ now: MonotonicInstant, _ facts: inout Facts
  ) throws(JSONError) {
    var json = JSONReader(element)
    switch place {
    case .pid:
      facts.pid = try json.string()
      return
    case .leader:
      facts.leader = try json.string()
      return
    default: break
    }
    // Who answers and who leads stand before all that matters.
    if !facts.isReporting {
      guard leads(facts) else {
        facts.isRefused = true
        return
      }
      facts.isReporting = true
      model.beginSnapshot()
    }
    switch place {
    case .agents: model.report(try MesosJSON.agent(element), isRecovered: false, at: now)
    case .recoveredAgents: model.report(try MesosJSON.agent(element), isRecovered: true, at: now)
    case .frameworkID: facts.frameworkID = try json.string()
    case .frameworkName: facts.frameworkName = try json.string()
    case .frameworkURL:
      facts.framework?.webURL = try json.string() ?? ""
      if let framework = facts.framework { model.report(framework) }
      facts.framework = nil
    case .tasks, .unreachableTasks, .orphanTasks: model.report(try MesosJSON.task(element))
    case .pid, .leader: break
    }
    if let id = facts.frameworkID, let name = facts.frameworkName {
      let framework = MesosFrameworkReport(id: id, name: name)
      model.report(framework)
      facts.framework = framework
      facts.frameworkID = nil
      facts.frameworkName = nil
    }
  }
}
