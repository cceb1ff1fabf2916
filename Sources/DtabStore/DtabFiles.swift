import Dtab
import MeshBase
import Net

/// The directory behind `DirectoryDtabStore`. Blocking, and therefore an actor off the control thread.
///
/// ```
/// NAME.dtab             the text in force; may be edited by hand
/// history/NAME.log      the changes (HistoryLog)
/// .NAME.VERSION.pending the text of a version that is being written
/// lock                  held while the store is open
/// ```
/// A change is written so that a crash at any moment leaves the old or the new state: first the pending file, then the
/// record in the log, which decides, then the pending file takes the place of the old one. A pending file whose
/// version is the log's last is therefore a decided change that was not finished; any other never happened. And so a
/// `NAME.dtab` that differs from the log without a pending file is an edit by hand.
actor DtabFiles {
  /// The points where a crash or a failing disk makes a difference; a test's hook is told before each.
  enum Step: CaseIterable {
    case writePending, syncDirectory, append, publish, tidy
  }

  /// What a test's hook wants to happen.
  enum Fault: Error {
    case failure(SystemError)
    /// As if the process had been killed: nothing is cleaned up.
    case crash
  }

  private struct Namespace {
    var last: UInt64 = 0
    var current: VersionedDtab?
    var logBytes = 0
    var logRecords = 0
    /// The log may hold more than `logBytes` good bytes, and must be cut before anything is appended.
    var logIsDirty = false
    /// The state of NAME.dtab that `current`, or `problem`, speaks of.
    var fileStatus: FileSystem.Status?
    var problem: String?
  }

  /// What the store has to know of one namespace.
  struct Published: Sendable {
    let namespace: String
    let version: UInt64
    let current: VersionedDtab?
    let problem: String?
  }

  nonisolated let directory: String
  /// Gone once the store is closed.
  private var lock: FileLock?
  private var namespaces: [String: Namespace] = [:]
  private var isLoaded = false
  private let fault: @Sendable (Step) throws(Fault) -> Void

  private static let suffix = ".dtab"
  /// A whole log, twice the kept changes at their largest, and some fields.
  private static let logBytesMax = 2 * DtabHistory.keptMax * (DtabHistory.textBytesMax + 2_048)

  /// Creates the directory where it is missing, and locks it.
  init(directory: String, fault: @escaping @Sendable (Step) throws(Fault) -> Void = { _ in }) throws(DtabStoreError) {
    self.directory = directory
    self.fault = fault
    lock = try Self.lock(directory)
  }

  private static func lock(_ directory: String) throws(DtabStoreError) -> FileLock {
    let path = directory + "/lock"
    do throws(SystemError) {
      try FileSystem.makeDirectory(directory + "/history")
      return try FileLock(path)
    } catch {
      if error.isHeldLock { throw .inUse(directory: directory, processID: FileLock.holder(path)) }
      throw .storage(error)
    }
  }

  private func file(_ name: String) -> String { "\(directory)/\(name)\(Self.suffix)" }
  private func log(_ name: String) -> String { "\(directory)/history/\(name).log" }
  private func pending(_ name: String, _ version: UInt64) -> String { "\(directory)/.\(name).\(version).pending" }

  private var names: [String] { namespaces.compactMap { $1.current == nil ? nil : $0 } }

  // MARK: Opening

  /// Finishes or forgets what a crash left, and reads everything.
  func load() throws(DtabStoreError) -> [Published] {
    do throws(SystemError) {
      var found: Set<String> = []
      var pendings: [(name: String, version: UInt64)] = []
      for entry in try FileSystem.list(directory).sorted() {
        if let pending = Self.parsePending(entry) {
          pendings.append(pending)
        } else if let name = Self.namespace(ofFile: entry) {
          found.insert(name)
        } else if Self.isLeftover(entry) {
          try FileSystem.remove("\(directory)/\(entry)")
        }
      }
      for entry in try FileSystem.list(directory + "/history").sorted() {
        if entry.hasSuffix(".log"), DtabNamespace.isValid(String(entry.dropLast(4))) {
          found.insert(String(entry.dropLast(4)))
        } else if Self.isLeftover(entry) {
          try FileSystem.remove("\(directory)/history/\(entry)")
        }
      }
      var published: [Published] = []
      for name in found.sorted() {
        try load(name, pendings.compactMap { $0.name == name ? $0.version : nil })
        published.append(publish(name))
      }
      for pending in pendings { try FileSystem.remove(self.pending(pending.name, pending.version)) }
      try FileSystem.syncDirectory(directory)
      isLoaded = true
      return published
    } catch {
      throw .storage(error)
    }
  }

  private func load(_ name: String, _ pendings: [UInt64]) throws(SystemError) {
    var namespace = Namespace()
    let contents = try readLog(name)
    let last = contents.changes.last
    namespace.last = last?.version ?? 0
    namespace.logBytes = contents.end
    namespace.logRecords = contents.changes.count
    if contents.tornBytes > 0 || contents.damagedBytes > 0 {
      // The unreadable record may have been given out: do not use its version again.
      namespace.last += 1
      if contents.damagedBytes > 0 { try? FileSystem.move(log(name), to: log(name) + ".damaged") }
      try FileSystem.replace(log(name), with: contents.changes.flatMap(HistoryLog.encode))
      namespace.logBytes = try FileSystem.status(log(name)).map { Int($0.size) } ?? 0
    }
    if let last, last.kind != .deleted, let dtab = try? Dtab(parsing: last.text) {
      namespace.current = VersionedDtab(name, last, dtab)
    }
    if let last, pendings.contains(last.version) {
      if last.kind == .deleted {
        try FileSystem.remove(file(name))
      } else {
        try FileSystem.replace(file(name), with: Array(last.text.utf8))
      }
    }
    namespaces[name] = namespace
    examine(name)
  }

  private func readLog(_ name: String) throws(SystemError) -> HistoryLog.Contents {
    guard try FileSystem.status(log(name)) != nil else { return HistoryLog.Contents() }
    return HistoryLog.decode(try FileSystem.read(log(name), limit: Self.logBytesMax))
  }

  private static func parsePending(_ entry: String) -> (name: String, version: UInt64)? {
    let parts = entry.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0].isEmpty, parts[3] == "pending", let version = UInt64(parts[2]) else { return nil }
    return DtabNamespace.isValid(String(parts[1])) ? (String(parts[1]), version) : nil
  }

  /// A temporary file of `FileSystem.replace`; the lock says that nobody is writing it.
  private static func isLeftover(_ entry: String) -> Bool {
    entry.contains(".dtab.tmp.") || entry.contains(".log.tmp.")
  }

  static func namespace(ofFile entry: String) -> String? {
    guard entry.hasSuffix(suffix) else { return nil }
    let name = String(entry.dropLast(suffix.count))
    return DtabNamespace.isValid(name) ? name : nil
  }

  private func publish(_ name: String) -> Published {
    let namespace = namespaces[name] ?? Namespace()
    return Published(
      namespace: name, version: namespace.last, current: namespace.current, problem: namespace.problem)
  }

  /// Lets another store have the directory; nothing is written from now on.
  func close() { lock = nil }

  /// Takes the directory back; `load` follows, since another process may have changed everything.
  func reopen() throws(DtabStoreError) {
    if lock == nil { lock = try Self.lock(directory) }
    isLoaded = false
  }

  // MARK: Edits by hand

  /// Takes over what somebody has written into the file, or says what is wrong with it.
  func look(at name: String) -> Published {
    // Before it is loaded a namespace has no log to compare with; loading looks at the file anyway.
    if isLoaded && lock != nil { examine(name) }
    return publish(name)
  }

  private func examine(_ name: String) {
    var namespace = namespaces[name] ?? Namespace()
    do throws(SystemError) {
      let status = try FileSystem.status(file(name))
      if let status, status == namespace.fileStatus { return }
      namespace.problem = nil
      namespace.fileStatus = status
      if status != nil {
        let bytes = try FileSystem.read(file(name), limit: DtabHistory.textBytesMax)
        try adopt(bytes, in: name, &namespace)
      } else if let current = namespace.current {
        namespace.problem =
          "\(file(name)) is gone; version \(current.version) stays in force: put the file back, or delete the "
          + "namespace through the API"
      }
    } catch {
      namespace.problem = "\(error)" + Self.stays(namespace.current)
    }
    if namespaces[name] != nil || namespace.last > 0 || namespace.problem != nil { namespaces[name] = namespace }
  }

  private func adopt(_ bytes: [UInt8], in name: String, _ namespace: inout Namespace) throws(SystemError) {
    if let current = namespace.current {
      if bytes.elementsEqual(current.text.utf8) { return }
      if bytes.isEmpty && !current.dtab.isEmpty {
        namespace.problem =
          "\(file(name)) is empty, which is taken for a file that is being written" + Self.stays(current)
          + "; for an empty dtab write a comment into it"
        return
      }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      namespace.problem = "\(file(name)) is not UTF-8" + Self.stays(namespace.current)
      return
    }
    do throws(DtabStoreError) {
      let dtab = try DtabCommand.parse(text)
      let change = DtabChange(
        version: namespace.last + 1, kind: .external, text: text,
        authorship: Authorship(author: "file", reason: "edited by hand"), wallNanoseconds: Clock.wallNanoseconds)
      if let error = append(change, to: name, &namespace) { throw .storage(error) }
      namespace.last = change.version
      namespace.current = VersionedDtab(name, change, dtab)
    } catch {
      namespace.problem = "\(file(name)): \(error)\(Self.stays(namespace.current))"
    }
  }

  private static func stays(_ current: VersionedDtab?) -> String {
    current.map { "; version \($0.version) stays in force" } ?? "; the namespace stays unknown"
  }

  // MARK: Changes

  func apply(_ command: DtabCommand, to name: String, by authorship: Authorship) throws(DtabStoreError)
    -> (published: Published, result: VersionedDtab?)
  {
    if lock == nil { throw .closed }
    // An edit by hand that the watcher has not told of yet is a change like any other.
    examine(name)
    var namespace = namespaces[name] ?? Namespace()
    if namespace.last == 0 { forgetOldestDeleted() }
    let (change, result) = try command.decide(
      in: name, last: namespace.last, current: namespace.current,
      history: { () throws(DtabStoreError) in try history(name, limit: DtabHistory.keptMax) }, names: names,
      by: authorship, at: Clock.wallNanoseconds)
    do throws(Fault) {
      try commit(change, to: name, &namespace)
    } catch {
      switch error {
      case .crash: throw .storage(SystemError("crash", code: 4))
      case .failure(let error):
        if namespace.logIsDirty { namespaces[name, default: Namespace()].logIsDirty = true }
        throw .storage(error)
      }
    }
    namespace.last = change.version
    namespace.current = result
    namespace.problem = nil
    namespace.fileStatus = (try? FileSystem.status(file(name))) ?? nil
    namespaces[name] = namespace
    compact(name)
    return (publish(name), result)
  }

  private func commit(_ change: DtabChange, to name: String, _ namespace: inout Namespace) throws(Fault) {
    let pending = pending(name, change.version)
    func undo(_ error: Fault) {
      guard case .failure = error else { return }
      try? FileSystem.remove(pending)
    }
    do throws(Fault) {
      try fault(.writePending)
      try Self.disk { () throws(SystemError) in try FileSystem.write(pending, Array(change.text.utf8)) }
      try fault(.syncDirectory)
      try Self.disk { () throws(SystemError) in try FileSystem.syncDirectory(directory) }
      try fault(.append)
      if let error = append(change, to: name, &namespace) { throw .failure(error) }
    } catch {
      undo(error)
      throw error
    }
    let bytes = namespace.logBytes
    do throws(Fault) {
      try fault(.publish)
      if change.kind == .deleted {
        try Self.disk { () throws(SystemError) in try FileSystem.remove(file(name)) }
        // The marker must outlive what it is about.
        try Self.disk { () throws(SystemError) in try FileSystem.syncDirectory(directory) }
        try fault(.tidy)
        try Self.disk { () throws(SystemError) in try FileSystem.remove(pending) }
      } else {
        // Not synced: after a power failure the pending file is there still, and says what to do.
        try Self.disk { () throws(SystemError) in try FileSystem.move(pending, to: file(name)) }
      }
    } catch {
      if case .failure = error {
        namespace.logBytes = bytes - HistoryLog.encode(change).count
        namespace.logRecords -= 1
        namespace.logIsDirty = true
        _ = clean(name, &namespace)
      }
      undo(error)
      throw error
    }
  }

  private static func disk(_ body: () throws(SystemError) -> Void) throws(Fault) {
    do throws(SystemError) { try body() } catch { throw .failure(error) }
  }

  /// Appends the record, durably, or leaves the log as it was.
  private func append(_ change: DtabChange, to name: String, _ namespace: inout Namespace) -> SystemError? {
    if let error = clean(name, &namespace) { return error }
    let record = HistoryLog.encode(change)
    do throws(SystemError) {
      try FileSystem.append(log(name), record)
      if namespace.logBytes == 0 { try FileSystem.syncDirectory(directory + "/history") }
    } catch {
      namespace.logIsDirty = true
      _ = clean(name, &namespace)
      return error
    }
    namespace.logBytes += record.count
    namespace.logRecords += 1
    return nil
  }

  /// Cuts off what a failed append may have left.
  private func clean(_ name: String, _ namespace: inout Namespace) -> SystemError? {
    guard namespace.logIsDirty else { return nil }
    do throws(SystemError) {
      if try FileSystem.status(log(name)) != nil { try FileSystem.truncate(log(name), to: namespace.logBytes) }
      namespace.logIsDirty = false
      return nil
    } catch {
      return error
    }
  }

  /// Drops what is older than the kept changes, now and then. A failure is no harm: the next change tries again.
  private func compact(_ name: String) {
    guard var namespace = namespaces[name], namespace.logRecords >= 2 * DtabHistory.keptMax,
      let contents = try? readLog(name)
    else { return }
    let kept = contents.changes.suffix(DtabHistory.keptMax)
    let bytes = kept.flatMap(HistoryLog.encode)
    guard (try? FileSystem.replace(log(name), with: bytes)) != nil else { return }
    namespace.logBytes = bytes.count
    namespace.logRecords = kept.count
    namespaces[name] = namespace
  }

  /// Bounds the histories of namespaces that are no more.
  private func forgetOldestDeleted() {
    guard namespaces.count >= DtabHistory.knownMax else { return }
    let deleted = namespaces.filter { $1.current == nil }.keys.compactMap { name in
      ((try? FileSystem.status(log(name))) ?? nil).map { (name: name, modified: $0.modifiedNanoseconds) }
    }
    guard let oldest = deleted.min(by: { $0.modified < $1.modified })?.name,
      (try? FileSystem.remove(log(oldest))) != nil
    else { return }
    namespaces[oldest] = nil
  }

  /// Newest first.
  func history(_ name: String, limit: Int) throws(DtabStoreError) -> [DtabChange] {
    guard let namespace = namespaces[name], namespace.last > 0 else {
      throw .unknown(namespace: name, near: nearNames(to: name, among: names))
    }
    do throws(SystemError) {
      let changes = try readLog(name).changes.filter { $0.version <= namespace.last }
      return changes.suffix(min(max(0, limit), DtabHistory.keptMax)).reversed()
    } catch {
      throw .storage(error)
    }
  }
}
