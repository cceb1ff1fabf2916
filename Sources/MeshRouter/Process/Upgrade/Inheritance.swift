import DtabStore
import Logging
import MeshBase
import Net

/// What the process was started with: listening sockets, by systemd or by the process whose place it takes, and in the
/// second case the way to speak to that one.
@ControlActor
public final class Inheritance {
  nonisolated let sockets: InheritedSockets
  private var predecessor: MessageSocket?
  private let channel: Int32?
  private(set) var tickets: [UInt8]?
  /// As `ServerSockets.chosenPorts`.
  private(set) var ports: [String: SocketAddress] = [:]
  private(set) var names: [NameInUse] = []
  private let log = Logger(label: "upgrade")

  /// For the longest step of the other one, which answers at once or is gone.
  private static let patienceMilliseconds: UInt64 = 30_000

  /// `nil` if there is nothing. Throws if a descriptor is not there.
  public nonisolated static func take(_ table: DescriptorTable) throws(SystemError) -> Inheritance? {
    if table.entries.isEmpty && table.channel == nil { return nil }
    return Inheritance(try InheritedSockets(table), channel: table.channel)
  }

  private nonisolated init(_ sockets: InheritedSockets, channel: Int32?) {
    self.sockets = sockets
    self.channel = channel
  }

  /// Whether a running process is to be replaced.
  public nonisolated var isSuccession: Bool { channel != nil }

  private func open() throws -> MessageSocket? {
    if predecessor == nil, let channel { predecessor = try MessageSocket(owning: channel) }
    return predecessor
  }

  /// Hears what the predecessor has to say first.
  func begin() async throws {
    guard let predecessor = try open() else { return }
    predecessor.setDeadline(millisecondsFromNow: Self.patienceMilliseconds)
    while let message = try await predecessor.next() {
      switch message {
      case .tickets(let keys): tickets = keys
      case .port(let address, let server): ports[server] = address
      case .name(let name): names.append(name)
      case .end: return
      default: break
      }
    }
    gone()
  }

  /// From then on the predecessor leaves the dtab store alone. What it had in memory, if it had it there.
  func takeStore() async throws -> [(namespace: String, history: [UInt8])] {
    guard let predecessor else { return [] }
    var dtabs: [(namespace: String, history: [UInt8])] = []
    predecessor.setDeadline(millisecondsFromNow: Self.patienceMilliseconds)
    try await predecessor.send(.wantStore)
    while let message = try await predecessor.next() {
      switch message {
      case .dtabs(let namespace, let history): dtabs.append((namespace, history))
      case .released: return dtabs
      default: break
      }
    }
    gone()
    return dtabs
  }

  /// It has ended by itself: its sockets are ours, so we go on.
  private func gone() { log.warning("the process whose place this one takes has ended before it handed over") }

  /// This process serves. Tells which sockets have no use, and closes them.
  func serves() async {
    if let predecessor {
      predecessor.setDeadline(millisecondsFromNow: Self.patienceMilliseconds)
      do { try await predecessor.send(.ready(version: ProductVersion.number)) } catch { gone() }
      predecessor.close()
    }
    for item in sockets.takeRest() {
      _ = Descriptor(owning: item.descriptor)
      log.warning(
        "a socket that the process was started with is of no configured server, and is closed",
        metadata: ["name": "\(item.name)", "at": "\(item.place?.description ?? "no listening stream socket")"])
    }
  }

  /// This process cannot serve: the predecessor goes on, and tells why.
  public func failed(_ reason: String) async {
    guard let predecessor = try? open() else { return }
    predecessor.setDeadline(millisecondsFromNow: 1_000)
    try? await predecessor.send(.failed(reason))
    predecessor.close()
  }
}
