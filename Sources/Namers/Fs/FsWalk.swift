import Dtab
import MeshBase
import Net

/// Follows the elements of one path down the directories and walks again whenever something on the way changes.
@ControlActor
final class FsWalk {
  private let rest: Path
  private let namer: FsNamer
  private weak var lookup: NameLookup?
  /// On every directory of the way.
  private var tokens: [ObservationToken] = []
  private lazy var again = EndOfTurn { [weak self] in self?.update() }
  private lazy var vanishTimer = ControlTimer { [weak self] in self?.update() }
  /// A file that is taken away and put back within this time was never gone: editors and deployments do so.
  private static let vanishMilliseconds: UInt64 = 20

  init(_ rest: Path, namer: FsNamer, _ lookup: NameLookup) {
    self.rest = rest
    self.namer = namer
    self.lookup = lookup
    update()
  }

  private func happened(_ event: FileEvent) {
    if !event.isDisjoint(with: [.appeared, .directory]) {
      again.request()
    } else if !event.isDisjoint(with: .vanished) && !vanishTimer.isSet {
      vanishTimer.set(milliseconds: Self.vanishMilliseconds)
    }
  }

  func update() {
    guard let lookup else { return }
    vanishTimer.cancel()
    // The old ones end afterwards, so that a directory that is still needed stays watched.
    let old = tokens
    tokens = []
    defer { withExtendedLifetime(old) { namer.watchMayHaveFailed() } }
    do throws(SystemError) {
      lookup.publish(try walk())
    } catch {
      lookup.fail("\(error); the router must be able to enter the directories of rootDir and to read its files")
    }
  }

  private func walk() throws(SystemError) -> NameTree<NamerAnswer<BoundName>> {
    guard var directory = try enterRoot() else { return .neg }
    var consumed = 0
    for label in rest.labels {
      guard let name = Self.fileName(label) else { return .neg }
      watch(directory, name)
      consumed += 1
      let location = FsLocation(directory: directory, name: name)
      guard let real = try FileSystem.resolvingLinks(location.path), let status = try FileSystem.status(real) else {
        return .neg
      }
      // A link may be changed by way of its neighbours, as in a mounted ConfigMap.
      if real != location.path { watch(directory, nil) }
      if status.isDirectory {
        directory = real
        continue
      }
      let relative = rest.prefix(consumed)
      let source = namer.source(relative, at: location)
      let id = namer.prefix + relative
      return .leaf(.bound(BoundName(id: id, residual: rest.dropFirst(consumed), endpoints: source)))
    }
    return .neg
  }

  /// The root without symbolic links; `nil` while there is none, and then its nearest ancestor is watched.
  private func enterRoot() throws(SystemError) -> String? {
    if let real = try FileSystem.resolvingLinks(namer.root) {
      if let parent = try FileSystem.resolvingLinks(FileSystem.parent(of: namer.root)), parent != real {
        watch(parent, FsLocation(path: namer.root).name)
      }
      guard try FileSystem.status(real)?.isDirectory == true else { return nil }
      return real
    }
    var above = FileSystem.parent(of: namer.root)
    while true {
      if let real = try FileSystem.resolvingLinks(above) {
        watch(real, nil)
        return nil
      }
      let next = FileSystem.parent(of: above)
      if next == above { return nil }
      above = next
    }
  }

  private func watch(_ directory: String, _ name: String?) {
    tokens.append(namer.watch.directory(directory).observe(name) { [weak self] in self?.happened($0) })
  }

  /// `nil` for what cannot be, or must not be taken for, an entry of a directory.
  static func fileName(_ label: Label) -> String? {
    let bytes = label.bytes
    if bytes == [0x2e] || bytes == [0x2e, 0x2e] || bytes.contains(UInt8(ascii: "/")) || bytes.contains(0) {
      return nil
    }
    guard bytes.count <= 255 else { return nil }  // NAME_MAX
    return String(validating: bytes, as: UTF8.self)
  }
}
