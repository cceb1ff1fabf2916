import Dtab
import Logging
import MeshBase
import Net

/// `io.l5d.fs`: endpoints from the files of a directory, which is watched.
///
/// The elements of a path walk down the directories below the root; the first that is a file ends the id, and what is
/// left is residual. A missing file or a directory is `neg`, and becomes a name when the file appears. A file that
/// cannot be read or parsed keeps the endpoints it had (`EndpointSource.failure` has the place and the remedy).
///
/// An element cannot leave the root by itself: `.`, `..` and elements with `/` or a zero byte are `neg`, as are names
/// that are not UTF-8. Symbolic links are followed, also out of the root: they are the operator's.
@ControlActor
public final class FsNamer: Namer {
  public let prefix: Path
  public let kind = "io.l5d.fs"
  let root: String
  let resolver: Resolver
  let watch = DirectoryWatch()
  let log = Logger(label: "namer.fs")
  private let pollMilliseconds: UInt64?
  private var lookups = WeakTable<Path, NameLookup>()
  private var sources = WeakTable<String, EndpointSource>()
  private lazy var pollTimer = ControlTimer { [weak self] in self?.poll() }
  /// Where the kernel will not watch.
  private static let fallbackPollMilliseconds: UInt64 = 1_000

  /// `pollMilliseconds`: look at the files this often as well, for file systems that do not tell of changes.
  public init(
    prefix: Path = "/#/io.l5d.fs", rootDirectory: String, pollMilliseconds: UInt64? = nil, resolver: Resolver
  ) {
    self.prefix = prefix
    root = rootDirectory.isEmpty ? "." : rootDirectory
    self.pollMilliseconds = pollMilliseconds
    self.resolver = resolver
  }

  public func lookup(_ rest: Path) -> NameLookup {
    if let known = lookups[rest] { return known }
    let lookup = NameLookup()
    lookup.feeder = FsWalk(rest, namer: self, lookup)
    lookups[rest] = lookup
    schedulePoll()
    return lookup
  }

  /// The one source of the file at a place below the root; `relative` is the id's part behind the prefix.
  func source(_ relative: Path, at location: FsLocation) -> EndpointSource {
    let key = relative.description
    if let known = sources[key] {
      (known.feeder as? FsFile)?.move(to: location)
      return known
    }
    let source = EndpointSource()
    let file = FsFile(prefix + relative, at: location, namer: self, source)
    source.feeder = file
    sources[key] = source
    file.read()
    return source
  }

  private func schedulePoll() {
    guard let interval = pollMilliseconds ?? (watch.failure == nil ? nil : Self.fallbackPollMilliseconds) else {
      return
    }
    if !pollTimer.isSet { pollTimer.set(milliseconds: interval) }
  }

  private func poll() {
    let lookups = lookups.values
    let sources = sources.values
    for lookup in lookups { (lookup.feeder as? FsWalk)?.update() }
    for source in sources { (source.feeder as? FsFile)?.readIfChanged() }
    if !lookups.isEmpty || !sources.isEmpty { schedulePoll() }
  }

  /// Called by walks and files when they met a directory the kernel does not watch.
  func watchMayHaveFailed() { schedulePoll() }

  public func knownNames(limit: Int) -> [Path] {
    var names: [Path] = []
    var budget = limit
    collectNames(root, prefix, depth: 0, &budget, &names)
    return names
  }

  private static let knownNamesDepthMax = 4

  private func collectNames(_ directory: String, _ path: Path, depth: Int, _ budget: inout Int, _ names: inout [Path]) {
    guard depth < Self.knownNamesDepthMax, let entries = try? FileSystem.list(directory) else { return }
    for entry in entries where !entry.hasPrefix(".") {
      guard budget > 0 else { return }
      budget -= 1
      let full = directory + "/" + entry
      guard let status = (try? FileSystem.status(full)) ?? nil else { continue }
      if status.isDirectory {
        collectNames(full, path.appending(Label(entry)), depth: depth + 1, &budget, &names)
      } else {
        names.append(path.appending(Label(entry)))
      }
    }
  }

  public func state() -> NamerState {
    NamerState(
      kind: kind, prefix: prefix, facts: [("rootDir", root)], lastError: watch.failure,
      names: sources.entries.compactMap { _, source in
        (source.feeder as? FsFile).map { NamerState.Name(id: $0.id, source: source) }
      })
  }
}

/// Where a file was found.
struct FsLocation: Equatable {
  /// Without symbolic links.
  var directory: String
  var name: String

  var path: String { directory == "/" ? "/" + name : directory + "/" + name }

  /// Splits a path that has no symbolic links.
  init(path: String) {
    directory = FileSystem.parent(of: path)
    name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
  }

  init(directory: String, name: String) {
    self.directory = directory
    self.name = name
  }
}
