import MeshBase

/// Another process has taken the place of this one.
struct UpgradeReport: Sendable {
  var processID: Int32
  var successor: Int32
  var version: String
  var program: String
  /// Callers' connections that are still open here.
  var connections: Int
  /// What they have to end.
  var drainMilliseconds: Int
  /// When those that are left are closed.
  var endsAtUnixMilliseconds: UInt64

  var json: String {
    var json = JSONText()
    json.object { json in
      json.member("upgraded", true)
      json.member("oldPid", UInt64(processID))
      json.member("newPid", UInt64(successor))
      json.member("version", version)
      json.member("program", program)
      json.member("connectionsLeft", UInt64(connections))
      json.member("drainMilliseconds", UInt64(drainMilliseconds))
      json.member("endsAtUnixMilliseconds", endsAtUnixMilliseconds)
    }
    return json.text + "\n"
  }
}

/// Why this process goes on.
struct UpgradeRefusal: Error, Sendable {
  enum Kind: Sendable {
    /// It was not tried: not here, or not now.
    case refused
    /// The other process came to nothing.
    case failed
  }

  var kind: Kind
  var problem: String

  init(_ kind: Kind, _ problem: String) {
    self.kind = kind
    self.problem = problem
  }

  var json: String {
    var json = JSONText()
    json.object { json in
      json.member("upgraded", false)
      json.member("problem", problem)
    }
    return json.text + "\n"
  }
}
