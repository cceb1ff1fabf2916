import Dtab
import MeshBase

/// How a name is bound, as the admin server shows it.
public struct AdminExplanation: Sendable {
  public var root: AdminDelegation
  /// What the name is bound to; the same rules as routing.
  public var state: BindState<AdminBound>
  /// False if a namer had not answered when time was up.
  public var isComplete: Bool

  /// From a delegation by the code that routes. `near` gives names that were perhaps meant, for paths that nobody knows.
  public init<Bound>(
    _ root: DelegationNode<Bound>, isComplete: Bool = true, near: (Path) -> [Path] = { _ in [] },
    bound: (Bound) -> AdminBound
  ) {
    self.root = AdminDelegation(root, role: .taken, weight: nil, near, bound)
    state =
      switch root.state {
      case .pending: .pending
      case .failed(let failure): .failed(failure)
      case .bound(let tree): .bound(tree.map(bound))
      }
    self.isComplete = isComplete
  }
}

/// One node of a delegation.
public struct AdminDelegation: Sendable {
  public enum Role: String, Sendable {
    case taken
    case passedOver = "passed over"
    case notReached = "not reached"
  }

  var kind: String
  var path: Path
  var dentry: Dentry?
  var role: Role
  var weight: Double?
  var bound: AdminBound?
  var message: String?
  var near: [String]
  var branches: [AdminDelegation]

  fileprivate init<Bound>(
    _ node: DelegationNode<Bound>, role: Role, weight: Double?, _ near: (Path) -> [Path],
    _ bound: (Bound) -> AdminBound
  ) {
    kind = node.kind.rawValue
    path = node.path
    dentry = node.dentry?.dentry
    self.role = role
    self.weight = weight
    self.bound = node.bound.map(bound)
    message = node.message
    self.near = node.kind == .neg ? near(node.path).map(\.description) : []
    branches = node.branches.map { branch in
      let own: Role =
        switch branch.role {
        case .taken: .taken
        case .passedOver: .passedOver
        case .notReached: .notReached
        }
      return AdminDelegation(branch.node, role: role == .taken ? own : role, weight: branch.weight, near, bound)
    }
  }
}

extension AdminDelegation {
  /// linkerd's shape, with `role` and `near` added.
  func write(to json: inout JSONText) {
    json.object { json in
      json.member("type", kind)
      json.member("path", path.description)
      if let dentry {
        json.key("dentry")
        json.object {
          $0.member("prefix", dentry.prefix.description)
          $0.member("dst", dentry.tree.description)
        }
      }
      json.member("role", role.rawValue)
      switch kind {
      case "delegate":
        if let only = branches.first {
          json.key("delegate")
          only.write(to: &json)
        }
      case "alt":
        json.key("alt")
        json.array(branches) { $1.write(to: &$0) }
      case "union":
        json.key("union")
        json.array(branches) { json, branch in
          json.object {
            $0.member("weight", branch.weight ?? 1)
            $0.key("tree")
            branch.write(to: &$0)
          }
        }
      default: break
      }
      if let bound {
        json.key("bound")
        bound.write(to: &json)
      }
      if let message { json.member("message", message) }
      if !near.isEmpty {
        json.key("near")
        json.array(near) { $0.element($1) }
      }
    }
  }

  /// An indented line for each node; what routing does not use is marked.
  var text: String {
    var lines: [String] = []
    collect(into: &lines, level: 0)
    return lines.joined(separator: "\n") + "\n"
  }

  private func collect(into lines: inout [String], level: Int) {
    var line = String(repeating: "  ", count: level)
    if let weight { line += "\(WeightText.of(weight)) * " }
    line += path.description
    switch kind {
    case "leaf": line += "  -> bound \(bound?.id.description ?? "?")\(bound.map { $0.endpoints.summary } ?? "")"
    case "neg": line += "  -> ~ (unknown)"
    case "fail": line += "  -> ! (fails)"
    case "empty": line += "  -> $ (no endpoints)"
    case "exception": line += "  -> error: \(message ?? "")"
    case "pending": line += "  -> a namer has not answered yet"
    default: break
    }
    if let dentry { line += "   by \(dentry)" }
    if role != .taken { line += "   [\(role.rawValue)]" }
    if !near.isEmpty { line += "   near: \(near.joined(separator: ", "))" }
    lines.append(line)
    for branch in branches { branch.collect(into: &lines, level: level + 1) }
  }
}

extension AdminBound {
  func write(to json: inout JSONText) {
    json.object {
      $0.member("id", id.description)
      $0.member("path", residual.description)
      $0.key("addr")
      endpoints.write(to: &$0)
    }
  }
}

extension EndpointSet {
  /// linkerd's shape: `{"type":"bound","addrs":[{"ip","port","meta"}],"meta":{}}`, with `weight` added.
  func write(to json: inout JSONText, extra: (inout JSONText) -> Void = { _ in }) {
    json.object { json in
      switch self {
      case .pending: json.member("type", "pending")
      case .neg: json.member("type", "neg")
      case .failed(let cause):
        json.member("type", "failed")
        json.member("cause", cause)
      case .bound(let endpoints):
        json.member("type", "bound")
        json.key("addrs")
        json.array(endpoints) { json, endpoint in
          json.object {
            $0.member("ip", endpoint.address.ip)
            $0.member("port", UInt64(endpoint.address.port))
            $0.member("weight", endpoint.weight)
            $0.key("meta")
            $0.object {
              for (name, value) in endpoint.metadata.sorted(by: { $0.key < $1.key }) { $0.member(name, value) }
            }
          }
        }
        json.key("meta")
        json.object { _ in }
      }
      extra(&json)
    }
  }

  var summary: String {
    switch self {
    case .pending: " (endpoints not known yet)"
    case .neg: " (the source knows no endpoints)"
    case .failed(let cause): " (endpoints unknown: \(cause))"
    case .bound(let endpoints): " (\(endpoints.count) endpoint\(endpoints.count == 1 ? "" : "s"))"
    }
  }
}

extension NameTree where Leaf == AdminBound {
  func write(to json: inout JSONText) {
    json.object { json in
      switch self {
      case .leaf(let bound):
        json.member("type", "leaf")
        json.key("bound")
        bound.write(to: &json)
      case .alt(let trees):
        json.member("type", "alt")
        json.key("alt")
        json.array(trees) { $1.write(to: &$0) }
      case .union(let branches):
        json.member("type", "union")
        json.key("union")
        json.array(branches) { json, branch in
          json.object {
            $0.member("weight", branch.weight)
            $0.key("tree")
            branch.tree.write(to: &$0)
          }
        }
      case .neg: json.member("type", "neg")
      case .fail: json.member("type", "fail")
      case .empty: json.member("type", "empty")
      }
    }
  }
}

/// Weights without a needless `.0`.
enum WeightText {
  static func of(_ weight: Double) -> String {
    weight == weight.rounded() && weight < 1e15 ? "\(Int(weight))" : "\(weight)"
  }
}
