import Config
import Dtab
import DtabStore
import Logging
import MeshBase
import Namers
import Net

/// Keeps one router's table in force: the interpreter's file, then the inline `dtab`, then the namespace in the store;
/// later entries have precedence (linkerd's order, with the store where edits at run time must win).
@ControlActor
final class RouterTable {
  private let interpreter: Interpreter
  /// Of the configuration.
  var inline: Dtab {
    didSet { apply() }
  }
  private let file: String?
  private let log: Logger
  private var fileDtab = Dtab.empty
  private(set) var stored: VersionedDtab?
  /// Why the file is not what is in force; the last good one stays.
  private(set) var fileProblem: String?
  private var watcher: FileWatcher?
  private var observation: DtabObservation?
  private let onApplied: @ControlActor (VersionedDtab) -> Void

  /// Throws if the file's directory cannot be watched.
  init(
    _ configuration: Configuration.Router, interpreter: Interpreter, store: any DtabStore,
    onApplied: @escaping @ControlActor (VersionedDtab) -> Void
  ) throws {
    self.onApplied = onApplied
    self.interpreter = interpreter
    inline = try Dtab(parsing: configuration.dtab)
    var log = Logger(label: "dtab")
    log[metadataKey: "router"] = "\(configuration.label)"
    self.log = log
    if case .fs(let path) = configuration.interpreter.kind { file = path } else { file = nil }
    observation = store.observe(configuration.namespace) { [weak self] version in
      self?.stored = version
      self?.apply()
      if let version { self?.onApplied(version) }
    }
    if let file { try watch(file) }
  }

  private func watch(_ path: String) throws {
    let directory = FileSystem.parent(of: path)
    let name = String(path.split(separator: "/").last ?? "")
    watcher = try FileWatcher { [weak self] _, changed in
      if changed == name || changed.isEmpty { self?.readFile() }
    }
    try watcher?.watch(directory: directory)
    readFile()
  }

  private func readFile() {
    guard let file else { return }
    do {
      let text = String(decoding: try FileSystem.read(file), as: UTF8.self)
      fileDtab = try Dtab(parsing: text)
      fileProblem = nil
      apply()
    } catch {
      fileProblem = "\(file): \(error)"
      log.error("the dtab file cannot be used; what was in force stays", metadata: ["problem": "\(file): \(error)"])
    }
  }

  /// Keeps nothing up to date any more; the interpreter goes on with what is in force.
  func close() {
    observation?.cancel()
    watcher?.close()
  }

  private func apply() { interpreter.dtab = fileDtab + inline + (stored?.dtab ?? .empty) }
}
