import Net

/// The directories below which something is in use, watched with one inotify instance for as long as they are.
///
/// Where the kernel refuses a watch (its limit per user), `failure` says so and the owner polls.
@ControlActor
final class DirectoryWatch {
  private var watcher: FileWatcher?
  private var directories = WeakTable<String, WatchedDirectory>()
  private var unwatched: Set<String> = []
  private var lastFailure = ""
  /// Why some directory is not watched; `nil` if all are.
  var failure: String? { unwatched.isEmpty ? nil : lastFailure }

  var isWatching: Bool { watcher != nil }

  /// The directory at a path without symbolic links.
  func directory(_ path: String) -> WatchedDirectory {
    if let known = directories[path] {
      known.ensureWatched()
      return known
    }
    let directory = WatchedDirectory(path, watch: self)
    directories[path] = directory
    directory.ensureWatched()
    return directory
  }

  fileprivate func start(_ path: String) -> Bool {
    do {
      if watcher == nil {
        watcher = try FileWatcher { [weak self] directory, name, event in
          self?.directories[directory]?.happened(name, event)
        }
      }
      try watcher?.watch(directory: path)
      unwatched.remove(path)
      return true
    } catch {
      // One that has just gone needs no watch; its parent's tells when it comes back.
      if ((try? FileSystem.status(path)) ?? nil) != nil {
        lastFailure = "\(error); looking at the files every second instead (sysctl fs.inotify.max_user_watches)"
        unwatched.insert(path)
      }
      return false
    }
  }

  /// The directory is no longer at this path, and so none is at a path below: their watches tell of the old ones. All
  /// who listen there must look again.
  fileprivate func lost(_ path: String) {
    let affected = directories.values.filter { $0.path == path || $0.path.hasPrefix(path + "/") }
    for directory in affected {
      if directory.isWatched { watcher?.unwatch(directory: directory.path) }
      directory.isWatched = false
    }
    for directory in affected { directory.tellAll(.directory) }
  }

  /// Nobody uses the directory any more.
  fileprivate func ended(_ path: String) {
    // Unless someone has begun to since.
    guard directories[path] == nil else { return }
    unwatched.remove(path)
    watcher?.unwatch(directory: path)
    if directories.values.isEmpty {
      watcher?.close()
      watcher = nil
    }
  }

  isolated deinit { watcher?.close() }
}

@ControlActor
final class WatchedDirectory {
  let path: String
  private let watch: DirectoryWatch
  fileprivate var isWatched = false
  private var byName: [String: [Listener]] = [:]
  private var ofAll: [Listener] = []

  @ControlActor
  private final class Listener {
    var onEvent: (@ControlActor (FileEvent) -> Void)?
    init(_ onEvent: @escaping @ControlActor (FileEvent) -> Void) { self.onEvent = onEvent }
  }

  fileprivate init(_ path: String, watch: DirectoryWatch) {
    self.path = path
    self.watch = watch
  }

  isolated deinit { watch.ended(path) }

  fileprivate func ensureWatched() { if !isWatched { isWatched = watch.start(path) } }

  /// `name` nil: whatever happens in the directory. Holds the directory.
  func observe(_ name: String?, _ onEvent: @escaping @ControlActor (FileEvent) -> Void) -> ObservationToken {
    let listener = Listener(onEvent)
    if let name { byName[name, default: []].append(listener) } else { ofAll.append(listener) }
    return ObservationToken { [self] in
      listener.onEvent = nil
      guard let name else { return ofAll.removeAll { $0 === listener } }
      byName[name]?.removeAll { $0 === listener }
      if byName[name]?.isEmpty == true { byName[name] = nil }
    }
  }

  fileprivate func happened(_ name: String, _ event: FileEvent) {
    if name.isEmpty { return watch.lost(path) }
    for listener in ofAll + (byName[name] ?? []) { listener.onEvent?(event) }
  }

  fileprivate func tellAll(_ event: FileEvent) {
    for listener in ofAll + byName.values.joined() { listener.onEvent?(event) }
  }
}
