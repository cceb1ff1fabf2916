import Dtab
import MeshBase
import Net

/// One serverset in use: follows its members and feeds the endpoints of those that are alive.
///
/// Nothing is published until every member that was there at first has been read. Without a member that is alive and has
/// the endpoint it is `neg`.
@ControlActor
final class Serverset {
  /// Other children of the node, such as weight vectors, are no members.
  private static let memberPrefix = "member_"

  private let client: ZooKeeperClient
  private let path: String
  private let endpoint: String?
  private let shard: Int?
  private weak var source: EndpointSource?
  private let endpoints: HostEndpoints
  private let group: ZooKeeperNode
  private var groupToken: ObservationToken?
  private var members: [String: (node: ZooKeeperNode, token: ObservationToken)] = [:]
  /// What each last said of itself, those included that have gone but may come back.
  private var known: [String: ServersetMember] = [:]
  private var isComplete = false
  private lazy var update = EndOfTurn { [weak self] in self?.publish() }
  private lazy var returnTimer = ControlTimer { [weak self] in self?.publish() }

  init(
    _ path: ServersetPath, client: ZooKeeperClient, resolver: Resolver, _ source: EndpointSource
  ) {
    self.client = client
    self.path = path.node
    endpoint = path.endpoint
    shard = path.shard
    self.source = source
    endpoints = HostEndpoints(source, resolver: resolver, emptyIsNeg: true)
    group = client.node(path.node, .children)
    groupToken = group.observe { [weak self] in self?.groupChanged() }
    groupChanged()
  }

  private func groupChanged() {
    if case .children(let names) = group.value {
      let present = Set(names.lazy.filter { $0.hasPrefix(Self.memberPrefix) })
      members = members.filter { present.contains($0.key) }
      for name in present where members[name] == nil {
        let node = client.node(path == "/" ? "/" + name : path + "/" + name, .data)
        members[name] = (node, node.observe { [weak self] in self?.update.request() })
      }
    } else if group.value == .missing {
      members = [:]
    }
    update.request()
  }

  private func publish() {
    guard let source else { return }
    if group.value == .pending {
      if let failure = group.failure { source.fail(failure.text) }
      return
    }
    var problems: [String] = []
    var isWaiting = false
    for (name, member) in members {
      switch member.node.value {
      case .pending:
        isWaiting = isWaiting || member.node.failure == nil
        if let failure = member.node.failure { problems.append(failure.text) }
      // Gone, and the list of children that says so is on its way.
      case .missing: break
      case .data(let json):
        do throws(JSONError) {
          known[name] = try ServersetMember(json: json)
        } catch {
          problems.append("\(path)/\(name): \(error)")
        }
      case .children: break
      }
    }
    if isWaiting && !isComplete { return }
    isComplete = true
    forgetTheGone()
    if let failure = group.failure { problems.append(failure.text) }
    let places = known.sorted { $0.key < $1.key }.compactMap { _, member -> HostEntry? in
      guard member.isAlive, shard == nil || member.shard == shard, let place = member.place(endpoint) else {
        return nil
      }
      return HostEntry(host: place.host, port: place.port)
    }
    endpoints.sourceFailure = problems.isEmpty ? nil : Set(problems).sorted().prefix(3).joined(separator: "; ")
    endpoints.entries = places
  }

  /// At once, unless we come out of an outage of the servers: then the members' sessions may have ended with it, and they
  /// are as good as before.
  private func forgetTheGone() {
    let gone = known.keys.filter { members[$0].map { $0.node.value == .missing } ?? true }
    if gone.isEmpty { return }
    let now = Clock.now
    if let deadline = client.returnDeadline, now < deadline {
      returnTimer.set(milliseconds: deadline.nanoseconds(since: now) / 1_000_000 + 1)
      return
    }
    for name in gone { known[name] = nil }
  }
}

/// What a name says of a serverset: `/discovery/prod/web`, `/discovery/prod/web:http`, `/discovery/prod/web:http#3`.
struct ServersetPath: Equatable {
  /// `/` or `/a/b`.
  var node: String
  /// `nil`: the one without a name.
  var endpoint: String?
  var shard: Int?

  /// `nil`: no node can have that name.
  init?(_ path: Path) {
    var labels = path.labels
    if let last = labels.last {
      var bytes = last.bytes[...]
      if let mark = bytes.lastIndex(of: UInt8(ascii: "#")), mark + 1 < bytes.endIndex,
        bytes[(mark + 1)...].allSatisfy(Ascii.isDigit)
      {
        shard = Int(String(decoding: bytes[(mark + 1)...], as: UTF8.self))
        bytes = bytes[..<mark]
      }
      if let colon = bytes.lastIndex(of: UInt8(ascii: ":")), colon + 1 < bytes.endIndex {
        endpoint = String(decoding: bytes[(colon + 1)...], as: UTF8.self)
        bytes = bytes[..<colon]
      }
      guard let label = Label(bytes: bytes) else { return nil }
      labels[labels.count - 1] = label
    }
    guard let node = ZooKeeperPath.text(labels) else { return nil }
    self.node = node
  }
}
