import MeshBase
import Net

/// What a process and the one that takes its place say to each other, over a socket that nobody else can read.
///
/// ```
/// old → new   tickets, port…, name…, end
/// new → old   wantStore          the old one closes its dtab store
/// old → new   dtabs…, released
/// new → old   ready              the old one drains; or `failed`, and it goes on as before
/// ```
/// A kind that a process does not know is passed over, so that versions may differ. Either end may find the other one
/// gone at any time.
enum HandoverMessage: Equatable, Sendable {
  /// The keys that TLS session tickets are sealed with: `TLSTicketKeys.exported`.
  case tickets([UInt8])
  /// Where a server listens whose port the kernel chose: `ServerKey.text`.
  case port(SocketAddress, server: String)
  case name(NameInUse)
  /// All is said that the new one needs to begin.
  case end
  case wantStore
  /// A namespace of a store in memory, with its history.
  case dtabs(namespace: String, history: [UInt8])
  case released
  /// It serves; its version.
  case ready(version: String)
  /// It cannot serve, and why.
  case failed(String)

  var message: MessageSocket.Message {
    switch self {
    case .tickets(let keys): .init(kind: 1, keys)
    case .port(let address, let server): .init(kind: 2, Array("\(address) \(server)".utf8))
    case .end: .init(kind: 3)
    case .wantStore: .init(kind: 4)
    case .dtabs(let namespace, let history): .init(kind: 5, Array("\(namespace)\n".utf8) + history)
    case .released: .init(kind: 6)
    case .ready(let version): .init(kind: 7, Array(version.utf8))
    case .failed(let text): .init(kind: 8, Array(text.utf8))
    case .name(let name): .init(kind: 9, Array("\(name.path)\n\(name.router)".utf8))
    }
  }

  /// `nil`: not known here, or not as it should be.
  init?(_ message: MessageSocket.Message) {
    let text = { (bytes: ArraySlice<UInt8>) in String(decoding: bytes, as: UTF8.self) }
    let payload = message.payload[...]
    switch message.kind {
    case 1: self = .tickets(message.payload)
    case 2:
      let address = payload.prefix { $0 != 0x20 }
      guard let parsed = SocketAddress(text(address)) else { return nil }
      self = .port(parsed, server: text(payload.dropFirst(address.count + 1)))
    case 3: self = .end
    case 4: self = .wantStore
    case 5:
      let name = payload.prefix { $0 != 0x0a }
      self = .dtabs(namespace: text(name), history: Array(payload.dropFirst(name.count + 1)))
    case 6: self = .released
    case 7: self = .ready(version: text(payload))
    case 8: self = .failed(text(payload))
    case 9:
      let path = payload.prefix { $0 != 0x0a }
      self = .name(NameInUse(router: text(payload.dropFirst(path.count + 1)), path: text(path)))
    default: return nil
    }
  }
}

extension MessageSocket {
  func send(_ message: HandoverMessage) async throws { try await send(message.message) }

  /// The next message that is known; `nil` when the other end is gone.
  func next() async throws -> HandoverMessage? {
    while let message = try await receive() { if let known = HandoverMessage(message) { return known } }
    return nil
  }
}
