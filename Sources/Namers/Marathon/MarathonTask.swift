import MeshBase

/// What Marathon knows of one task, as far as routing needs it.
struct MarathonTask: Equatable, Sendable {
  enum State: UInt8, Equatable, Sendable {
    /// Not serving yet.
    case starting
    case running
    /// Told to end: answers what it has begun.
    case killing
    /// Its agent is cut off; it may well be alive.
    case unreachable
    case ended

    /// Reads a task's state (`TASK_RUNNING`) or an instance's condition (`Running`, `UnreachableInactive`).
    init(_ text: String) {
      let word = String(
        decoding: text.utf8.map(Ascii.lowercased).filter { $0 != UInt8(ascii: "_") }, as: UTF8.self)
      switch word.hasPrefix("task") ? String(word.dropFirst(4)) : word {
      case "running": self = .running
      case "killing": self = .killing
      case "unreachable", "unreachableinactive", "lost": self = .unreachable
      case "staging", "staged", "starting", "created", "scheduled", "provisioned", "reserved":
        self = .starting
      default: self = .ended
      }
    }
  }

  /// The results of the app's health checks that have reported so far. Marathon forgets them when its leader changes.
  struct Health: Equatable, Sendable {
    /// Checks that have reported.
    var reported = 0
    /// Those whose last result is a pass.
    var alive = 0
    /// Those that have passed at some time.
    var passed = 0
    /// The most failures in a row of one check.
    var failuresInARow = 0
  }

  var id: String
  /// The agent's name or address.
  var host: String
  var state: State
  /// On the agent; only mapped ports, in the order of the app's.
  var ports: [UInt16]
  /// Of the container; a bridge's are of no use beyond their agent.
  var addresses: [String]
  var health = Health()
  /// Of the app, that it runs.
  var version: String
  var agent: String
  var zone: String?
  /// Since the Unix epoch; 0: not started, or not known.
  var startedSeconds: Int64 = 0
}

extension MarathonTask {
  /// Reads one element of `tasks`. `nil`: it has no id.
  init?(_ reader: inout JSONReader) throws(JSONError) {
    self.init(id: "", host: "", state: .starting, ports: [], addresses: [], version: "", agent: "")
    guard try reader.beginObject() else { return nil }
    while try reader.nextKey() {
      if reader.isKey("id") {
        id = try reader.string() ?? ""
      } else if reader.isKey("host") {
        host = try reader.string() ?? ""
      } else if reader.isKey("state") {
        state = State(try reader.string() ?? "")
      } else if reader.isKey("ports") {
        ports = try reader.ports()
      } else if reader.isKey("ipAddresses") {
        addresses = try Self.addresses(&reader)
      } else if reader.isKey("healthCheckResults") {
        health = try Self.health(&reader)
      } else if reader.isKey("version") {
        version = try reader.string() ?? ""
      } else if reader.isKey("slaveId") {
        agent = try reader.string() ?? ""
      } else if reader.isKey("zone") {
        zone = try reader.string()
      } else if reader.isKey("startedAt") {
        startedSeconds = MarathonTime.seconds(try reader.string() ?? "")
      }
    }
    if id.isEmpty { return nil }
  }

  static func addresses(_ reader: inout JSONReader) throws(JSONError) -> [String] {
    var addresses: [String] = []
    guard try reader.beginArray() else { return [] }
    while try reader.nextElement() {
      guard try reader.beginObject() else { continue }
      while try reader.nextKey() {
        if reader.isKey("ipAddress"), let address = try reader.string(), !address.isEmpty {
          addresses.append(address)
        }
      }
    }
    return addresses
  }

  private static func health(_ reader: inout JSONReader) throws(JSONError) -> Health {
    var health = Health()
    guard try reader.beginArray() else { return health }
    while try reader.nextElement() {
      guard try reader.beginObject() else { continue }
      var isAlive = false
      var hasPassed = false
      var failures = 0
      while try reader.nextKey() {
        if reader.isKey("alive") {
          isAlive = try reader.boolean() ?? false
        } else if reader.isKey("consecutiveFailures") {
          failures = try reader.integer() ?? 0
        } else if reader.isKey("firstSuccess") || reader.isKey("lastSuccess") {
          if try reader.string() != nil { hasPassed = true }
        }
      }
      health.reported += 1
      if isAlive { health.alive += 1 }
      if isAlive || hasPassed { health.passed += 1 }
      health.failuresInARow = max(health.failuresInARow, failures)
    }
    return health
  }

  /// Whether an event about this task or instance is about this one: an instance's id is the beginning of its task's.
  func isNamed(_ name: String) -> Bool {
    guard id.utf8.starts(with: name.utf8) else { return false }
    if id.utf8.count == name.utf8.count { return true }
    return id.utf8.dropFirst(name.utf8.count).starts(with: "._".utf8)
  }
}

extension JSONReader {
  /// Port numbers; what is none is 0, so that the others keep their places.
  mutating func ports() throws(JSONError) -> [UInt16] {
    try integers().map { UInt16(exactly: $0) ?? 0 }
  }
}

/// `2016-09-15T12:00:30.000Z` as seconds since the Unix epoch.
enum MarathonTime {
  /// 0 if the text is none.
  static func seconds(_ text: String) -> Int64 {
    let bytes = Array(text.utf8)
    guard bytes.count >= 19, bytes[4] == 0x2d, bytes[7] == 0x2d, bytes[10] == 0x54 else { return 0 }
    func number(_ range: Range<Int>) -> Int64? {
      var value: Int64 = 0
      for byte in bytes[range] {
        guard Ascii.isDigit(byte) else { return nil }
        value = value * 10 + Int64(byte - 0x30)
      }
      return value
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
      (1...12).contains(month),
      let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19)
    else { return 0 }
    // Years begin in March, so that the leap day comes last (Hinnant 2014, as `CivilTime`).
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let marchMonth = month > 2 ? month - 3 : month + 9
    let dayOfEra =
      yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + (153 * marchMonth + 2) / 5 + day - 1
    return (era * 146_097 + dayOfEra - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second
  }
}
