import MeshBase

/// A server's or client's context that follows its files.
///
/// A change is read once the files have been quiet for a moment. New files that cannot be used change nothing but
/// `problem`; the next change is read again.
@ControlActor
public final class TLSCertificateWatcher<Context: Sendable> {
  /// What `make` does with the files as they are now.
  private let make: @Sendable () throws(TLSLoadError) -> Context
  private let onChange: @ControlActor (Context) -> Void
  private let onProblem: @ControlActor (TLSLoadError) -> Void
  private let paths: [String]
  public private(set) var context: Context
  /// Why the files as they are now are not in use; `nil`: they are.
  public private(set) var problem: TLSLoadError?
  /// Times that new files came into use.
  public private(set) var reloads = 0

  private var watcher: FileWatcher?
  private var watched: Set<String> = []
  /// SHA-256 of each file: keys have no business here.
  private var digests: [String: [UInt8]]
  private var reading: Task<Void, Never>?
  /// Writers replace certificate and key one after the other: wait until they have done both.
  private static var quietMilliseconds: UInt64 { 200 }
  /// A directory that is not there is looked for again after so long.
  private static var retryMilliseconds: UInt64 { 2_000 }

  /// - Parameters:
  ///   - paths: files, and directories of files.
  ///   - onChange: gets each further context; the first one is `context`.
  public init(
    paths: [String], make: @escaping @Sendable () throws(TLSLoadError) -> Context,
    onChange: @escaping @ControlActor (Context) -> Void,
    onProblem: @escaping @ControlActor (TLSLoadError) -> Void = { _ in }
  ) throws {
    self.paths = paths
    self.make = make
    self.onChange = onChange
    self.onProblem = onProblem
    digests = [:]
    context = try make()
    digests = Self.read(paths)
    let watcher = try FileWatcher { [weak self] _, _ in self?.touched() }
    self.watcher = watcher
    watch()
  }

  deinit {
    let (watcher, reading) = (watcher, reading)
    reading?.cancel()
    Task { @ControlActor in watcher?.close() }
  }

  public func close() {
    watcher?.close()
    watcher = nil
    reading?.cancel()
  }

  /// The directories of all files, and those that links on the way lead to: a mounted secret is swapped by its link.
  private func watch() {
    guard let watcher else { return }
    var wanted: Set<String> = []
    for path in paths {
      if (try? FileSystem.status(path))??.isDirectory == true { wanted.insert(path) }
      wanted.insert(FileSystem.parent(of: path))
      if let real = try? FileSystem.resolvingLinks(path) { wanted.insert(FileSystem.parent(of: real)) }
    }
    for directory in watched.subtracting(wanted) { watcher.unwatch(directory: directory) }
    watched.formIntersection(wanted)
    // Watching anew is harmless, and needed where a directory has been replaced by another of the same name.
    for directory in wanted where (try? watcher.watch(directory: directory)) != nil { watched.insert(directory) }
    if watched.count < wanted.count { look(after: Self.retryMilliseconds) }
  }

  private func touched() { look(after: Self.quietMilliseconds) }

  private func look(after milliseconds: UInt64) {
    reading?.cancel()
    reading = Task { @ControlActor [weak self] in
      guard (try? await ControlActor.sleep(milliseconds: milliseconds)) != nil else { return }
      self?.reload()
    }
  }

  /// Reads the files now if any has changed. Runs by itself; for SIGHUP and tests.
  public func reload() {
    watch()
    let now = Self.read(paths)
    guard now != digests else { return }
    digests = now
    do throws(TLSLoadError) {
      let new = try make()
      context = new
      problem = nil
      reloads += 1
      onChange(new)
    } catch {
      problem = error
      onProblem(error)
    }
  }

  /// Small files, and few: comparing contents tells a change from a touch, and never misses one.
  private static func read(_ paths: [String]) -> [String: [UInt8]] {
    var digests: [String: [UInt8]] = [:]
    func add(_ path: String) {
      digests[path] = (try? FileSystem.read(path, limit: 16 << 20)).map(Sha256.digest)
    }
    for path in paths {
      if (try? FileSystem.status(path))??.isDirectory == true {
        for name in (try? FileSystem.list(path)) ?? [] { add(path + "/" + name) }
      } else {
        add(path)
      }
    }
    return digests
  }
}

extension TLSCertificateWatcher where Context == TLSServerContext {
  public convenience init(
    server options: TLSServerContext.Options, onChange: @escaping @ControlActor (TLSServerContext) -> Void,
    onProblem: @escaping @ControlActor (TLSLoadError) -> Void = { _ in }
  ) throws {
    try self.init(
      paths: options.paths, make: { () throws(TLSLoadError) in try TLSServerContext(options) }, onChange: onChange,
      onProblem: onProblem)
  }
}

extension TLSCertificateWatcher where Context == TLSClientContext {
  public convenience init(
    client options: TLSClientContext.Options, onChange: @escaping @ControlActor (TLSClientContext) -> Void,
    onProblem: @escaping @ControlActor (TLSLoadError) -> Void = { _ in }
  ) throws {
    try self.init(
      paths: options.paths, make: { () throws(TLSLoadError) in try TLSClientContext(options) }, onChange: onChange,
      onProblem: onProblem)
  }
}
