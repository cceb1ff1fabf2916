import Logging
import Net

/// Dtabs as files in a directory: durable, with history, and open to editing by hand.
///
/// The disk is used off the control thread; what is in force is read from memory.
public final class DirectoryDtabStore: DtabStore {
  public nonisolated let directory: String
  private let files: DtabFiles
  private let observers = DtabObservers()
  private let logger: Logger
  private var problemsByNamespace: [String: DtabStoreProblem] = [:]

  private var watcher: FileWatcher?
  private var touched: Set<String> = []
  private var isSettling = false
  private var isClosed = false
  private var eventCount: UInt64 = 0

  /// A file is read once it has been quiet for so long, because an editor may write it in pieces.
  private static let quietMilliseconds: UInt64 = 20
  /// But after so many quiet times in a row it is read anyway.
  private static let quietRoundsMax = 10
  private static let rewatchMilliseconds: UInt64 = 1_000

  /// Opens the directory, creating it where it is missing; finishes what a crash interrupted.
  public static func open(directory: String, logger: Logger = Logger(label: "meshrouter.dtabs"))
    async throws(DtabStoreError) -> DirectoryDtabStore
  {
    try await open(DtabFiles(directory: directory), logger)
  }

  static func open(_ files: DtabFiles, _ logger: Logger) async throws(DtabStoreError) -> DirectoryDtabStore {
    let store = DirectoryDtabStore(files, logger)
    // Watched before it is read, so that no edit falls in between.
    store.watch()
    for published in try await files.load() { store.publish(published) }
    return store
  }

  private init(_ files: DtabFiles, _ logger: Logger) {
    self.files = files
    self.logger = logger
    directory = files.directory
  }

  deinit {
    let watcher = watcher
    Task { @ControlActor in watcher?.close() }
  }

  /// Ends watching and lets another process have the directory. Reading goes on; changes are refused.
  public func close() async {
    isClosed = true
    watcher?.close()
    watcher = nil
    await files.close()
  }

  /// Reads everything again, because another process may have changed it.
  public func reopen() async throws(DtabStoreError) {
    try await files.reopen()
    isClosed = false
    watch()
    for published in try await files.load() { publish(published) }
  }

  public var problems: [DtabStoreProblem] { problemsByNamespace.values.sorted { $0.namespace < $1.namespace } }

  public func list() -> [String] { observers.current.keys.sorted() }

  public func get(_ namespace: String) throws(DtabStoreError) -> VersionedDtab? {
    try DtabNamespace.check(namespace)
    return observers.current[namespace]
  }

  public func create(_ namespace: String, _ text: String, by authorship: Authorship) async throws(DtabStoreError)
    -> VersionedDtab
  {
    try await apply(.create(text: text, dtab: DtabCommand.parse(text)), to: namespace, authorship)!
  }

  public func put(_ namespace: String, _ text: String, expectedVersion: UInt64?, by authorship: Authorship)
    async throws(DtabStoreError) -> VersionedDtab
  {
    let command = try DtabCommand.put(text: text, dtab: DtabCommand.parse(text), expectedVersion: expectedVersion)
    return try await apply(command, to: namespace, authorship)!
  }

  public func delete(_ namespace: String, expectedVersion: UInt64?, by authorship: Authorship)
    async throws(DtabStoreError)
  {
    _ = try await apply(.delete(expectedVersion: expectedVersion), to: namespace, authorship)
  }

  public func rollback(_ namespace: String, to version: UInt64, expectedVersion: UInt64?, by authorship: Authorship)
    async throws(DtabStoreError) -> VersionedDtab
  {
    try await apply(.rollback(version: version, expectedVersion: expectedVersion), to: namespace, authorship)!
  }

  public func history(_ namespace: String, limit: Int) async throws(DtabStoreError) -> [DtabChange] {
    try DtabNamespace.check(namespace)
    return try await files.history(namespace, limit: limit)
  }

  public func observe(_ namespace: String, onChange: @escaping @ControlActor (VersionedDtab?) -> Void)
    -> DtabObservation
  {
    observers.observe(namespace) { onChange($1) }
  }

  public func observeAll(onChange: @escaping @ControlActor (String, VersionedDtab?) -> Void) -> DtabObservation {
    observers.observe(nil, onChange)
  }

  private func apply(_ command: DtabCommand, to namespace: String, _ authorship: Authorship)
    async throws(DtabStoreError) -> VersionedDtab?
  {
    try DtabNamespace.check(namespace)
    let (published, result) = try await files.apply(command, to: namespace, by: authorship)
    publish(published)
    return result
  }

  private func publish(_ published: DtabFiles.Published) {
    let namespace = published.namespace
    if published.problem != problemsByNamespace[namespace]?.message {
      if let problem = published.problem {
        logger.warning("dtab not taken over", metadata: ["namespace": "\(namespace)", "problem": "\(problem)"])
      } else {
        logger.info("dtab is well again", metadata: ["namespace": "\(namespace)"])
      }
      problemsByNamespace[namespace] = published.problem.map {
        DtabStoreProblem(namespace: namespace, message: $0, sinceWallNanoseconds: Clock.wallNanoseconds)
      }
    }
    observers.publish(namespace, version: published.version, published.current)
  }

  // MARK: Edits by hand

  private func watch() {
    if isClosed { return }
    do {
      let watcher = try watcher ?? FileWatcher { [weak self] _, name in self?.changed(name) }
      self.watcher = watcher
      try watcher.watch(directory: directory)
      problemsByNamespace[""] = nil
    } catch {
      let message = "\(directory) is not watched, edits by hand go unnoticed: \(error)"
      if problemsByNamespace[""] == nil {
        logger.warning("\(message)")
        problemsByNamespace[""] = DtabStoreProblem(
          namespace: "", message: message, sinceWallNanoseconds: Clock.wallNanoseconds)
      }
      Task { @ControlActor [weak self] in
        try? await ControlActor.sleep(milliseconds: Self.rewatchMilliseconds)
        self?.watch()
        self?.changed("")
      }
    }
  }

  /// An empty name stands for all of the directory, or for its loss.
  private func changed(_ name: String) {
    if name.isEmpty {
      touched.formUnion(observers.current.keys)
      touched.formUnion(problemsByNamespace.keys.filter { !$0.isEmpty })
      if (try? FileSystem.status(directory)) ?? nil == nil { watch() }
    } else if let namespace = DtabFiles.namespace(ofFile: name) {
      touched.insert(namespace)
    } else {
      return
    }
    eventCount += 1
    guard !isSettling else { return }
    isSettling = true
    Task { @ControlActor [weak self] in await self?.settle() }
  }

  private func settle() async {
    defer { isSettling = false }
    var rounds = 0
    while !touched.isEmpty {
      let seen = eventCount
      try? await ControlActor.sleep(milliseconds: Self.quietMilliseconds)
      rounds += 1
      if seen != eventCount && rounds < Self.quietRoundsMax { continue }
      rounds = 0
      let names = touched.sorted()
      touched = []
      for name in names { publish(await files.look(at: name)) }
    }
  }
}
