import Dtab
import MeshBase
import Net

/// All namers of a router: the configured ones, then the system's under `/$`.
///
/// Where several configured namers have a prefix of the path, the one configured last is asked first, and the next one
/// if it answers `neg`.
@ControlActor
public final class NamerRegistry {
  /// In the order of the configuration.
  public private(set) var namers: [any Namer]
  public let resolver: Resolver
  private let inet: InetNamer
  private let fixedInet: InetNamer
  private var lookups = WeakTable<Path, NameLookup>()
  /// Prefixes at which the namers have just changed; what `observeChanges` tells of.
  private(set) var changedPrefixes: [Path] = []
  private let observers = Observers()

  public init(namers: [any Namer] = [], resolver: Resolver) {
    self.namers = namers
    self.resolver = resolver
    inet = InetNamer(resolver: resolver)
    fixedInet = InetNamer(resolver: resolver, isFixed: true)
    for namer in namers { namer.joined(self) }
  }

  /// Puts other namers in the place of those there are. Names of a namer that stays keep what is known of them; those
  /// behind the prefix of one that goes or comes are bound anew, and until that is done the last good tree holds.
  public func replace(with new: [any Namer]) {
    let gone = namers.filter { old in !new.contains { $0 === old } }
    let come = new.filter { namer in !namers.contains { $0 === namer } }
    let isReordered = gone.isEmpty && come.isEmpty && !zip(namers, new).allSatisfy { $0 === $1 }
    namers = new
    for namer in come { namer.joined(self) }
    changedPrefixes = isReordered ? new.map(\.prefix) : (gone + come).map(\.prefix)
    guard !changedPrefixes.isEmpty else { return }
    lookups.removeAll { isChanged($0) }
    observers.notify()
    changedPrefixes = []
  }

  /// Whether what a path leads to may be another now.
  func isChanged(_ path: Path) -> Bool { changedPrefixes.contains { path.hasPrefix($0) } }

  func observeChanges(_ onChange: @escaping @ControlActor () -> Void) -> ObservationToken { observers.add(onChange) }

  /// What the namers know of a path that the dtab does not rewrite; shared by all who ask for the same path.
  public func lookup(_ path: Path) -> NameLookup {
    if let known = lookups[path] { return known }
    let lookup = open(path)
    lookups[path] = lookup
    return lookup
  }

  private func open(_ path: Path) -> NameLookup {
    let matching = namers.reversed().filter { path.hasPrefix($0.prefix) }
    if matching.isEmpty { return system(path) }
    if matching.count == 1, path.first != Self.dollar {
      return matching[0].lookup(path.dropFirst(matching[0].prefix.count))
    }
    let result = NameLookup()
    let chain = NamerChain(path, matching, result) { [weak self] in
      self?.system($0) ?? NameLookup(.tree(.neg))
    }
    result.feeder = chain
    return result
  }

  private static let dollar: Label = "$"

  private func system(_ path: Path) -> NameLookup {
    guard path.first == Self.dollar, path.count > 1 else { return NameLookup(.tree(.neg)) }
    if let tree = SystemRewrite.rewrite(path) { return NameLookup(.tree(tree.map { .path($0) })) }
    let name = path[1].text
    switch name {
    case "inet": return inet.lookup(path.dropFirst(2))
    case "fixedinet": return fixedInet.lookup(path.dropFirst(2))
    default:
      let near = nearNames(to: name, among: Self.systemNames)
      let remedy = near.isEmpty ? "there is \(Self.systemNames.joined(separator: ", "))" : "did you mean \(near[0])?"
      return NameLookup(.failed("unknown namer /$/\(path[1]); \(remedy)"))
    }
  }

  /// What may stand behind `/$/`.
  public nonisolated static let systemNames = ["inet", "fixedinet", "nil", "fail"] + SystemRewrite.names

  /// Names like this one that a namer could bind, for an answer of `neg`.
  public func nearPaths(to path: Path, limit: Int = 3) -> [Path] {
    let inCharge = namers.filter { path.hasPrefix($0.prefix) }
    // Where no namer is in charge, it may be a prefix that was misspelt.
    if inCharge.isEmpty { return Namers.nearPaths(to: path, among: namers.map(\.prefix), limit: limit) }
    let found = inCharge.flatMap { $0.nearNames(to: path.dropFirst($0.prefix.count), limit: limit) }
    return Array(found.prefix(limit))
  }

  /// Each configured namer, then the built-in ones that have names in use.
  public func states() -> [NamerState] {
    inUse.map { $0.state() }
  }

  /// The namers of `states`; building no state, it may be asked often.
  public var inUse: [any Namer] { namers + [inet, fixedInet].filter(\.isInUse) }
}

/// The namers in charge of one path, asked one after the other while they say `neg`.
@ControlActor
private final class NamerChain {
  private let path: Path
  private let namers: [any Namer]
  private weak var result: NameLookup?
  private let system: (Path) -> NameLookup
  /// As many as had to be asked.
  private var asked: [(lookup: NameLookup, token: ObservationToken)] = []

  init(_ path: Path, _ namers: [any Namer], _ result: NameLookup, system: @escaping (Path) -> NameLookup) {
    self.path = path
    self.namers = namers
    self.result = result
    self.system = system
    update()
  }

  private func update() {
    for index in 0...namers.count {
      if asked.count == index {
        let lookup =
          index < namers.count ? namers[index].lookup(path.dropFirst(namers[index].prefix.count)) : system(path)
        asked.append((lookup, lookup.observe { [weak self] in self?.update() }))
      }
      if case .tree(.neg) = asked[index].lookup.state, index < namers.count { continue }
      asked.removeSubrange((index + 1)...)
      result?.mirror(asked[index].lookup)
      return
    }
  }
}
