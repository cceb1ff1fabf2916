import Dtab
import MeshBase
import Net

/// One place below the root, whether or not something is there; shared by all names that lead over it, so that a change
/// costs the same for one residual path and for ten thousand.
@ControlActor
final class FsNode {
  enum State: Equatable {
    case missing
    /// Its path, without symbolic links.
    case directory(String)
    case file(FsLocation)
    case failed(String)
  }

  let relative: Path
  private(set) var state: State = .missing
  private let namer: FsNamer
  private let parent: FsNode?
  /// In the parent's directory; empty at the root.
  private let name: String
  private let observers = Observers()
  private var parentToken: ObservationToken?
  /// On the directory it stands in, or should stand in.
  private var tokens: [ObservationToken] = []
  private lazy var again = EndOfTurn { [weak self] in self?.update() }
  private lazy var vanishTimer = ControlTimer { [weak self] in self?.update() }
  /// A file that is taken away and put back within this time was never gone: editors and deployments do so.
  private static let vanishMilliseconds: UInt64 = 20

  init(_ relative: Path, name: String, parent: FsNode?, namer: FsNamer) {
    self.relative = relative
    self.name = name
    self.parent = parent
    self.namer = namer
    parentToken = parent?.observe { [weak self] in self?.update() }
    update()
  }

  func observe(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken { observers.add(onChange) }

  /// Looks again at what is there.
  func update() {
    vanishTimer.cancel()
    // The old ones end afterwards, so that a directory that is still needed stays watched.
    let old = tokens
    tokens = []
    defer { withExtendedLifetime(old) { namer.watchMayHaveFailed() } }
    let next: State
    do throws(SystemError) {
      next = try parent == nil ? lookAtRoot() : look()
    } catch {
      next = .failed("\(error); the router must be able to enter the directories of rootDir and to read its files")
    }
    if case .file(let location) = next { namer.fileMoved(relative, to: location) }
    guard next != state else { return }
    state = next
    observers.notify()
  }

  private func look() throws(SystemError) -> State {
    guard case .directory(let directory)? = parent?.state else { return .missing }
    watch(directory, name)
    let location = FsLocation(directory: directory, name: name)
    guard let real = try FileSystem.resolvingLinks(location.path), let status = try FileSystem.status(real) else {
      return .missing
    }
    // A link may be changed by way of its neighbours, as in a mounted ConfigMap.
    if real != location.path { watch(directory, nil) }
    return status.isDirectory ? .directory(real) : .file(location)
  }

  /// While there is no root, its nearest ancestor is watched.
  private func lookAtRoot() throws(SystemError) -> State {
    if let real = try FileSystem.resolvingLinks(namer.root) {
      if let above = try FileSystem.resolvingLinks(FileSystem.parent(of: namer.root)), above != real {
        watch(above, FsLocation(path: namer.root).name)
      }
      watch(real, "")
      return try FileSystem.status(real)?.isDirectory == true ? .directory(real) : .missing
    }
    var above = FileSystem.parent(of: namer.root)
    while true {
      if let real = try FileSystem.resolvingLinks(above) {
        watch(real, nil)
        return .missing
      }
      let next = FileSystem.parent(of: above)
      if next == above { return .missing }
      above = next
    }
  }

  /// `name` nil: all of it; empty: the directory itself, which every observer of it hears of.
  private func watch(_ directory: String, _ name: String?) {
    tokens.append(namer.watch.directory(directory).observe(name) { [weak self] in self?.happened($0) })
  }

  private func happened(_ event: FileEvent) {
    if !event.isDisjoint(with: [.appeared, .directory]) {
      again.request()
    } else if !event.isDisjoint(with: .vanished) && !vanishTimer.isSet {
      vanishTimer.set(milliseconds: Self.vanishMilliseconds)
    }
  }

  /// The name of a directory's entry; `nil` for what cannot be, or must not be taken for, one.
  static func fileName(_ label: Label) -> String? {
    let bytes = label.bytes
    if bytes == [0x2e] || bytes == [0x2e, 0x2e] || bytes.contains(UInt8(ascii: "/")) || bytes.contains(0) {
      return nil
    }
    guard bytes.count <= 255 else { return nil }  // NAME_MAX
    return String(validating: bytes, as: UTF8.self)
  }
}
