import Dtab
import MeshBase
import Namers
import Net

/// A name that a router has requests for.
struct NameInUse: Hashable, Sendable {
  var router: String
  var path: String

  /// More of them are not handed to another process: they are asked for when a request comes.
  static let countMax = 1_000
}

/// Names that the process before this one routed by: asked for before requests come, so that these find them bound.
@ControlActor
final class NamesInUse {
  private final class Name {
    let binding: Binding
    /// Keep the endpoints known.
    var tokens: [ObservationToken] = []
    var sources: [EndpointSource]?

    init(_ binding: Binding) { self.binding = binding }
  }

  private var names: [Name] = []
  /// A namer that answers later than this is not waited for; requests wait for it then, as at any start.
  static let patienceMilliseconds: UInt64 = 3_000
  /// By then requests have come for those that are used, and keep them.
  private static let keptMilliseconds: UInt64 = 60_000

  func ask(for path: Path, _ interpreter: Interpreter) {
    let name = Name(interpreter.bind(path))
    // Without an observer nobody would be told, and so nothing be kept.
    name.tokens = [name.binding.observe {}]
    names.append(name)
  }

  /// Returns when it is known of each what it leads to, or when it has taken too long. Then they are kept for a while.
  func settle() async {
    let deadline = Clock.now.advanced(byMilliseconds: Self.patienceMilliseconds)
    while names.contains(where: { !isKnown($0) }), Clock.now < deadline {
      try? await ControlActor.sleep(milliseconds: 5)
    }
    Task { @ControlActor in
      try? await ControlActor.sleep(milliseconds: Self.keptMilliseconds)
      for name in self.names { name.binding.close() }
      self.names = []
    }
  }

  private func isKnown(_ name: Name) -> Bool {
    switch name.binding.state {
    // The process before this one knew it, so a failure will pass.
    case .pending, .failed: return false
    case .bound(let tree), .stale(let tree, _, _):
      if name.sources == nil {
        var sources: [EndpointSource] = []
        _ = tree.map { sources.append($0.endpoints) }
        name.sources = sources
        name.tokens += sources.map { $0.observe {} }
      }
      return name.sources?.allSatisfy { Self.isKnown($0) } ?? false
    }
  }

  static func isKnown(_ source: EndpointSource) -> Bool {
    switch source.current {
    case .pending, .failed: false
    case .bound, .neg: true
    }
  }
}
