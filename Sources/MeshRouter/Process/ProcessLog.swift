import Config
import Logging
import MeshBase
import Net

/// Where the control plane's log goes: standard error, a line a message, text or JSON, with a level per logger that
/// can be changed while running.
public final class ProcessLog: Sendable {
  public static let shared = ProcessLog()

  private struct State {
    var level = Logger.Level.info
    var format = Configuration.Logging.Format.text
    var levels: [String: Logger.Level] = [:]
    var labels: Set<String> = []
    var isInstalled = false
  }
  private let state = Locked(State())

  private init() {}

  /// Takes over swift-log; once per process, later calls change level and format only.
  public func install(_ configuration: Configuration.Logging) {
    let isFirst = state.withLock { state in
      state.level = Logger.Level(rawValue: configuration.level.rawValue) ?? .info
      state.format = configuration.format
      defer { state.isInstalled = true }
      return !state.isInstalled
    }
    if isFirst { LoggingSystem.bootstrap { ProcessLogHandler(label: $0) } }
  }

  /// Loggers that have been made so far with their levels, sorted; `root` is what holds where nothing else is said.
  var levels: [(name: String, level: String)] {
    state.withLock { state in
      [("root", state.level.rawValue)] + state.labels.sorted().map { ($0, (state.levels[$0] ?? state.level).rawValue) }
    }
  }

  /// False if there is no such logger or level.
  func set(_ level: String, of name: String) -> Bool {
    guard let level = Logger.Level(rawValue: level.lowercased()) else { return false }
    return state.withLock { state in
      if name == "root" || name.isEmpty {
        state.level = level
      } else if state.labels.contains(name) {
        state.levels[name] = level
      } else {
        return false
      }
      return true
    }
  }

  fileprivate func register(_ label: String) { _ = state.withLock { $0.labels.insert(label) } }

  fileprivate func level(of label: String) -> Logger.Level { state.withLock { $0.levels[label] ?? $0.level } }

  fileprivate func write(_ level: Logger.Level, _ label: String, _ message: String, _ metadata: Logger.Metadata) {
    let time = CivilTime(wallNanoseconds: Clock.wallNanoseconds).iso8601
    let facts = metadata.sorted { $0.key < $1.key }
    switch state.withLock({ $0.format }) {
    case .text:
      let tail = facts.map { " \($0.key)=\($0.value)" }.joined()
      Console.writeError("\(time) \(level.rawValue) \(label): \(message)\(tail)\n")
    case .json:
      var json = JSONText()
      json.object {
        $0.member("time", time)
        $0.member("level", level.rawValue)
        $0.member("logger", label)
        $0.member("message", message)
        for (key, value) in facts { $0.member(key, "\(value)") }
      }
      Console.writeError(json.text + "\n")
    }
  }
}

private struct ProcessLogHandler: LogHandler {
  let label: String
  var metadata: Logger.Metadata = [:]

  init(label: String) {
    self.label = label
    ProcessLog.shared.register(label)
  }

  var logLevel: Logger.Level {
    get { ProcessLog.shared.level(of: label) }
    set { _ = ProcessLog.shared.set(newValue.rawValue, of: label) }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let all = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
    ProcessLog.shared.write(event.level, label, "\(event.message)", all)
  }
}
