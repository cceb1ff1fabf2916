import MeshBase
import Net

/// Who leads a group of candidates in ZooKeeper: the one whose node has the lowest sequence number.
///
/// Candidates are sequential nodes below one node, whatever makes them: `member_0000000007`, Curator's
/// `_c_…-latch-0000000007`, and `json.info_0000000007` of Mesos masters. Other children are no candidates; where there
/// are `json.info_` nodes only those are.
@ControlActor
final class LeaderGroup {
  enum State: Equatable {
    case pending
    /// Nobody leads: there is no candidate, or not even the group.
    case none
    /// Where the leader listens, as its node says; at least one place.
    case leader([LeaderData.Place])
    /// The leader's data cannot be read or understood.
    case failed(String)
  }

  private(set) var state = State.pending
  /// Why `state` may be out of date; `nil` while all is well.
  var failure: String? { leader?.node.failure?.text ?? group.failure?.text }
  private let group: ZooKeeperNode
  private let client: ZooKeeperClient
  private let path: String
  private let onChange: @ControlActor () -> Void
  private var groupToken: ObservationToken?
  private var leader: (name: String, node: ZooKeeperNode, token: ObservationToken)?

  /// `onChange` is called whenever `state` or `failure` may have changed.
  init(_ path: String, client: ZooKeeperClient, onChange: @escaping @ControlActor () -> Void) {
    self.path = path
    self.client = client
    self.onChange = onChange
    group = client.node(path, .children)
    groupToken = group.observe { [weak self] in self?.groupChanged() }
    groupChanged()
  }

  /// The name with the lowest number at its end.
  nonisolated static func first(of names: [String]) -> String? {
    let mesos = names.filter { $0.hasPrefix("json.info_") }
    let numbered = (mesos.isEmpty ? names : mesos).compactMap { name -> (number: Int, name: String)? in
      let digits = name.utf8.reversed().prefix { Ascii.isDigit($0) }
      // ZooKeeper writes ten digits; fewer are part of a name.
      guard digits.count >= 10, let number = Int(String(decoding: digits.reversed(), as: UTF8.self)) else { return nil }
      return (number, name)
    }
    return numbered.min { ($0.number, $0.name) < ($1.number, $1.name) }?.name
  }

  private func groupChanged() {
    switch group.value {
    case .pending: break
    case .children(let names):
      if let name = Self.first(of: names) { follow(name) } else { fallthrough }
    default:
      leader = nil
      state = .none
    }
    onChange()
  }

  private func follow(_ name: String) {
    if leader?.name == name { return }
    let node = client.node(path == "/" ? "/" + name : path + "/" + name, .data)
    leader = (name, node, node.observe { [weak self] in self?.leaderChanged() })
    read(node)
  }

  private func leaderChanged() {
    if let node = leader?.node { read(node) }
    onChange()
  }

  private func read(_ node: ZooKeeperNode) {
    switch node.value {
    case .data(let bytes):
      let places = LeaderData.places(bytes)
      state =
        places.isEmpty
        ? .failed("zookeeper \(node.key.path): neither HOST:PORT nor JSON with an address") : .leader(places)
    // Not read yet, or gone and the list of children that says so is on its way: the leader before stays that long.
    case .pending, .missing, .children:
      if case .pending = state, let failure = node.failure { state = .failed(failure.text) }
    }
  }
}
