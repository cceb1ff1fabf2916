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
  private var nodes = WeakTable<Path, FsNode>()
  private var sources = WeakTable<Path, EndpointSource>()
  private lazy var pollTimer = ControlTimer { [weak self] in self?.poll() }
  /// Where the kernel will not watch.
  private static let fallbackPollMilliseconds: UInt64 = 1_000

  /// `pollMilliseconds`: look at the files this often as well, for file systems that do not tell of changes.
  public init(
    prefix: Path = "/#/io.l5d.fs", rootDirectory: String, pollMilliseconds: UInt64? = nil, resolver: Resolver
  ) {
    self.prefix = prefix
    var root = rootDirectory
    while root.count > 1 && root.hasSuffix("/") { root.removeLast() }
    self.root = root.isEmpty ? "." : root
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

  func node(_ relative: Path, name: String, parent: FsNode?) -> FsNode {
    if let known = nodes[relative] { return known }
    let node = FsNode(relative, name: name, parent: parent, namer: self)
    nodes[relative] = node
    return node
  }

  /// The one source of the file at a place below the root; `relative` is the id's part behind the prefix.
  func source(_ relative: Path, at location: FsLocation) -> EndpointSource {
    if let known = sources[relative] { return known }
    let source = EndpointSource()
    let file = FsFile(prefix + relative, at: location, namer: self, source)
    source.feeder = file
    sources[relative] = source
    file.read()
    return source
  }

  /// A file in use was found again, perhaps elsewhere.
  func fileMoved(_ relative: Path, to location: FsLocation) {
    (sources[relative]?.feeder as? FsFile)?.move(to: location)
  }

  private func schedulePoll() {
    guard let interval = pollMilliseconds ?? (watch.failure == nil ? nil : Self.fallbackPollMilliseconds) else {
      return
    }
    if !pollTimer.isSet { pollTimer.set(milliseconds: interval) }
  }

  private func poll() {
    let nodes = nodes.values
    let sources = sources.values
    for node in nodes { node.update() }
    for source in sources { (source.feeder as? FsFile)?.readIfChanged() }
    if !nodes.isEmpty || !sources.isEmpty { schedulePoll() }
  }

  /// Called when directories were asked for: the kernel may have refused to watch one.
  func watchMayHaveFailed() { schedulePoll() }

  /// From the directory where the walk ended.
  public func nearNames(to rest: Path, limit: Int) -> [Path] {
    var directory = root
    var path = prefix
    for label in rest.labels {
      guard let name = FsNode.fileName(label),
        let status = (try? FileSystem.status(directory + "/" + name)) ?? nil, status.isDirectory
      else {
        let names = (try? FileSystem.list(directory)) ?? []
        let near = MeshBase.nearNames(to: label.text, among: names.lazy.filter { !$0.hasPrefix(".") }, limit: limit)
        return near.map { path.appending(Label($0)) }
      }
      directory += "/" + name
      path = path.appending(label)
    }
    return []
  }

  public var failingSince: MonotonicInstant? { sources.failingSince }
  public var lastError: String? { watch.failure }

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
