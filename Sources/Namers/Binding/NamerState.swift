import Dtab
import MeshBase
import Net

/// What a namer shows of itself to an operator.
public struct NamerState: Sendable, Equatable {
  public struct Name: Sendable, Equatable {
    public var id: String
    public var endpoints: EndpointSet
    /// Since the endpoints last changed.
    public var ageMilliseconds: UInt64
    /// Since the source began to fail; `nil` if it does not.
    public var failingMilliseconds: UInt64?
    public var lastError: String?
  }

  public var kind: String
  public var prefix: String
  /// Facts of the kind, such as the directory, in a fixed order.
  public var facts: [(name: String, value: String)] = []
  public var lastError: String?
  /// Those in use, sorted by id.
  public var names: [Name]

  public init(
    kind: String, prefix: Path, facts: [(name: String, value: String)] = [], lastError: String? = nil,
    names: [Name] = []
  ) {
    self.kind = kind
    self.prefix = prefix.description
    self.facts = facts
    self.lastError = lastError
    self.names = names.sorted { $0.id < $1.id }
  }

  public static func == (a: Self, b: Self) -> Bool {
    a.kind == b.kind && a.prefix == b.prefix && a.lastError == b.lastError && a.names == b.names
      && a.facts.elementsEqual(b.facts) { $0 == $1 }
  }
}

extension NamerState.Name {
  @ControlActor
  public init(id: Path, source: EndpointSource) {
    let now = Clock.now
    self.init(
      id: id.description, endpoints: source.current,
      ageMilliseconds: now.nanoseconds(since: source.lastChanged) / 1_000_000,
      failingMilliseconds: source.failure.map { now.nanoseconds(since: $0.since) / 1_000_000 },
      lastError: source.lastError)
  }
}

extension NamerState {
  /// One JSON object.
  public var json: String {
    var json = JSONText()
    json.object {
      $0.member("kind", kind)
      $0.member("prefix", prefix)
      for (name, value) in facts { $0.member(name, value) }
      $0.member("lastError", lastError)
      $0.key("names")
      $0.array(names) { json, name in
        json.object {
          $0.member("id", name.id)
          switch name.endpoints {
          case .pending: $0.member("state", "pending")
          case .neg: $0.member("state", "neg")
          case .failed: $0.member("state", "failed")
          case .bound: $0.member("state", "bound")
          }
          $0.member("ageMilliseconds", name.ageMilliseconds)
          $0.member("failingMilliseconds", name.failingMilliseconds)
          $0.member("lastError", name.lastError)
          $0.key("endpoints")
          $0.array(name.endpoints.endpoints) { json, endpoint in
            json.object {
              $0.member("address", endpoint.address.description)
              $0.member("weight", endpoint.weight)
              for (key, value) in endpoint.metadata.sorted(by: { $0.key < $1.key }) { $0.member(key, value) }
            }
          }
        }
      }
    }
    return json.text
  }
}
