import HTTP
import MeshBase

/// Why a stream of the master's events cannot be read on.
enum MesosStreamError: Error, Equatable, CustomStringConvertible {
  case framing(RecordIOError)
  case json(JSONError, record: UInt64)

  var description: String {
    switch self {
    case .framing(let error): "\(error)"
    case .json(let error, let record): "event \(record) is malformed: \(error)"
    }
  }
}

/// Reads the answer to `SUBSCRIBE` as it comes and tells the model: the snapshot element by element, so that neither its
/// text nor a tree of it is ever in memory, then event by event.
///
/// One element that is malformed is counted and left out; the rest stands.
struct MesosStreamReader {
  private enum Place: Int, CaseIterable {
    case type, heartbeat, tasks, unreachableTasks, agents, recoveredAgents, frameworks
    case taskAdded, taskUpdated, agentAdded, agentRemoved, frameworkAdded, frameworkUpdated, frameworkRemoved

    var path: String {
      switch self {
      case .type: "type"
      case .heartbeat: "subscribed.heartbeat_interval_seconds"
      case .tasks: "subscribed.get_state.get_tasks.tasks"
      case .unreachableTasks: "subscribed.get_state.get_tasks.unreachable_tasks"
      case .agents: "subscribed.get_state.get_agents.agents"
      case .recoveredAgents: "subscribed.get_state.get_agents.recovered_agents"
      case .frameworks: "subscribed.get_state.get_frameworks.frameworks"
      case .taskAdded: "task_added.task"
      case .taskUpdated: "task_updated"
      case .agentAdded: "agent_added.agent"
      case .agentRemoved: "agent_removed"
      case .frameworkAdded: "framework_added.framework"
      case .frameworkUpdated: "framework_updated.framework"
      case .frameworkRemoved: "framework_removed"
      }
    }

    var isSnapshot: Bool { self != .type && rawValue <= Self.frameworks.rawValue }
  }

  private var records = RecordIOParser()
  private var elements = JSONElementSplitter(paths: Place.allCases.map(\.path))
  private var isInSnapshot = false

  /// As the master announced it.
  private(set) var heartbeatMilliseconds: UInt64 = 15_000
  /// Records that are whole.
  private(set) var recordCount: UInt64 = 0
  /// Snapshots that are whole.
  private(set) var snapshotCount: UInt64 = 0
  /// Elements that could not be read, and the last one's fault.
  private(set) var malformedCount: UInt64 = 0
  private(set) var lastMalformed: JSONError?

  mutating func feed(
    _ piece: Span<UInt8>, into model: MesosModel, at now: MonotonicInstant
  ) throws(MesosStreamError) {
    var index = 0
    while true {
      let step = records.next(piece, from: index)
      index = step.consumedTo
      switch step.event {
      case .begin: elements.reset()
      case .data(let range):
        do throws(JSONError) {
          try feed(elementsOf: piece.extracting(range), model, now)
        } catch {
          throw .json(error, record: recordCount)
        }
      case .end:
        do throws(JSONError) { try elements.finish() } catch { throw .json(error, record: recordCount) }
        recordCount += 1
        if isInSnapshot {
          isInSnapshot = false
          snapshotCount += 1
          model.endSnapshot()
        }
      case .needMore: return
      case .failed(let error): throw .framing(error)
      }
    }
  }

  private mutating func feed(
    elementsOf piece: Span<UInt8>, _ model: MesosModel, _ now: MonotonicInstant
  ) throws(JSONError) {
    var heartbeat: Double?
    var isInSnapshot = self.isInSnapshot
    var malformed: JSONError?
    var malformedCount: UInt64 = 0
    try elements.feed(piece) { (path, element) throws(JSONError) in
      let place = Place(rawValue: path)!
      // The type alone tells of a snapshot in which there is nothing.
      if !isInSnapshot && (place.isSnapshot || place == .type && Self.isSubscribed(element)) {
        isInSnapshot = true
        model.beginSnapshot()
      }
      do throws(JSONError) {
        try Self.take(place, element, model, now, &heartbeat)
      } catch {
        malformed = error
        malformedCount += 1
      }
    }
    self.isInSnapshot = isInSnapshot
    self.malformedCount += malformedCount
    lastMalformed = malformed ?? lastMalformed
    if let heartbeat, heartbeat.isFinite {
      heartbeatMilliseconds = UInt64(min(max(heartbeat, 1), 600) * 1_000)
    }
  }

  private static func take(
    _ place: Place, _ element: Span<UInt8>, _ model: MesosModel, _ now: MonotonicInstant, _ heartbeat: inout Double?
  ) throws(JSONError) {
    switch place {
    case .type: break
    case .heartbeat:
      var json = JSONReader(element)
      heartbeat = try json.double()
    case .tasks, .unreachableTasks, .taskAdded: model.report(try MesosJSON.task(element))
    case .taskUpdated: model.report(try MesosJSON.update(element))
    case .agents, .agentAdded: model.report(try MesosJSON.agent(element), isRecovered: false, at: now)
    case .recoveredAgents: model.report(try MesosJSON.agent(element), isRecovered: true, at: now)
    case .agentRemoved: model.removeAgent(try MesosJSON.removedAgent(element), at: now)
    case .frameworks, .frameworkAdded, .frameworkUpdated: model.report(try MesosJSON.framework(element))
    case .frameworkRemoved: model.removeFramework(try MesosJSON.framework(element).id)
    }
  }

  private static func isSubscribed(_ element: Span<UInt8>) -> Bool {
    var json = JSONReader(element)
    return (try? json.string()) == "SUBSCRIBED"
  }
}
