/// What the environment says of the descriptors that a process was started with: sd_listen_fds(3), and on top of it
/// the socket on which the router's own predecessor is spoken to during an upgrade.
///
/// ```
/// LISTEN_PID=812 LISTEN_FDS=2 LISTEN_FDNAMES=web:admin     by systemd: descriptors 3 and 4
/// MESHROUTER_PREDECESSOR=640 LISTEN_FDS=2 LISTEN_FDNAMES=…  by process 640: 3 and 4, and 5 to speak to it
/// ```
/// A predecessor cannot know its child's id in time, so its own id stands for LISTEN_PID.
public struct DescriptorTable: Sendable, Equatable {
  public struct Entry: Sendable, Equatable {
    public var descriptor: Int32
    /// Of LISTEN_FDNAMES; "unknown" where it says nothing.
    public var name: String
  }

  /// Listening sockets, from `first` on.
  public var entries: [Entry] = []
  /// On which the predecessor is spoken to; `nil`: there is none.
  public var channel: Int32?

  /// SD_LISTEN_FDS_START.
  public static let first: Int32 = 3
  static let names = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", predecessorName]
  static let predecessorName = "MESHROUTER_PREDECESSOR"
  /// More than this is no table but a mistake.
  private static let countMax = 16_384

  /// Why the variables cannot be right.
  public struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
    public var description: String
  }

  /// Empty where the variables are missing, or are meant for another process.
  public init(
    environment: (String) -> String?, processID: Int32, parentID: Int32
  ) throws(Problem) {
    let isSuccessor = environment(Self.predecessorName).map { Int32($0) == parentID } ?? false
    let isActivated = environment("LISTEN_PID").map { Int32($0) == processID } ?? false
    guard isSuccessor || isActivated else { return }
    let text = environment("LISTEN_FDS") ?? ""
    guard let count = Int(text), (0...Self.countMax).contains(count) else {
      throw Problem(description: "LISTEN_FDS is \"\(text)\", which is no number of descriptors")
    }
    var names: [String]?
    if let list = environment("LISTEN_FDNAMES"), count > 0 {
      let given = list.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      guard given.count == count else {
        throw Problem(
          description: "LISTEN_FDNAMES has \(given.count) names (\(list)) for \(count) descriptors of LISTEN_FDS")
      }
      names = given
    }
    entries = (0..<count).map { Entry(descriptor: Self.first + Int32($0), name: names?[$0] ?? "unknown") }
    if isSuccessor { channel = Self.first + Int32(count) }
  }

  /// The variables for a child that gets so many descriptors under these names, and the channel behind them.
  static func variables(names: [String], predecessor: Int32) -> [(name: String, value: String)] {
    [
      (predecessorName, "\(predecessor)"), ("LISTEN_FDS", "\(names.count)"),
      ("LISTEN_FDNAMES", names.joined(separator: ":")),
    ]
  }
}
