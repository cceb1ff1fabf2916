import MeshBase
import Net

/// Something that goes wrong with an answer.
public struct ServerFault: Sendable {
  public enum Kind: Sendable {
    /// This status with this text instead of the answer.
    case status(Int, String)
    /// The answer comes so much later.
    case delay(milliseconds: UInt64)
    /// The answer never comes.
    case stall
    /// The connection breaks off after so many bytes of the body.
    case truncated(afterBytes: Int)
    /// So many bytes of the body come, then nothing, for ever.
    case stalled(afterBytes: Int)
    /// As after a restart: only this share of the tasks is known yet, the same ones each time.
    case halfLoaded(share: Double)
    /// A body that is not JSON.
    case garbage
    /// A body that comes in pieces of so many bytes with so long between them.
    case slow(pieceBytes: Int, milliseconds: UInt64)
  }

  public var kind: Kind
  /// Of the paths it happens to.
  public var pathPrefix: String
  /// How often it still happens; `nil`: until it is removed.
  public var times: Int?
  /// Of the servers, the one it happens to; `nil`: all.
  public var node: Int?

  public init(_ kind: Kind, on pathPrefix: String = "/", times: Int? = nil, node: Int? = nil) {
    self.kind = kind
    self.pathPrefix = pathPrefix
    self.times = times
    self.node = node
  }

  /// What an overloaded Marathon says.
  public static func overload(on pathPrefix: String = "/", times: Int? = nil) -> ServerFault {
    ServerFault(.status(503, #"{"message":"Futures timed out after [10 seconds]"}"#), on: pathPrefix, times: times)
  }
}

/// The faults of one fake scheduler. Confined to the control thread.
@ControlActor
public final class ServerFaults {
  public private(set) var all: [ServerFault] = []

  public init() {}

  public func add(_ fault: ServerFault) { all.append(fault) }

  public func clear() { all = [] }

  /// Those that happen to this request now.
  func take(path: String, node: Int) -> [ServerFault.Kind] {
    var kinds: [ServerFault.Kind] = []
    for index in all.indices {
      let fault = all[index]
      guard path.hasPrefix(fault.pathPrefix), fault.node.map({ $0 == node }) ?? true, fault.times != 0 else { continue }
      if let times = fault.times { all[index].times = times - 1 }
      kinds.append(fault.kind)
    }
    all.removeAll { $0.times == 0 }
    return kinds
  }

  /// Carries out what happens before or instead of the answer; `nil`: nothing instead of it.
  static func before(_ kinds: [ServerFault.Kind]) async -> ControlResponse? {
    for kind in kinds {
      switch kind {
      case .status(let status, let text):
        let type = text.hasPrefix("{") ? "application/json" : "text/html; charset=utf-8"
        return ControlResponse(status: status, contentType: type, Array(text.utf8))
      case .delay(let milliseconds): try? await ControlActor.sleep(milliseconds: milliseconds)
      case .stall: return ControlResponse(body: .watch { _ in try await Self.forever() })
      case .garbage: return ControlResponse(contentType: "application/json", Array("{\"apps\":[{\"id\":".utf8))
      case .truncated, .stalled, .halfLoaded, .slow: break
      }
    }
    return nil
  }

  static func forever() async throws { while true { try await ControlActor.sleep(milliseconds: 60_000) } }

  /// The share of the tasks that an answer shows; 1: all.
  static func share(_ kinds: [ServerFault.Kind]) -> Double {
    for case .halfLoaded(let share) in kinds { return share }
    return 1
  }

  /// Whether a task of this id is among that share.
  static func shows(_ id: String, share: Double) -> Bool {
    if share >= 1 { return true }
    var id = id
    let hash = id.withUTF8 { byteHash(UnsafeRawBufferPointer($0), seed: 7) }
    return Double(hash >> 11) * 0x1p-53 < share
  }
}

/// The connection breaks off here.
struct BrokenOff: Error {}

/// Writes a body with the faults it has, and counts its bytes.
@ControlActor
struct FaultyBody {
  let kinds: [ServerFault.Kind]
  let log: TrafficLog
  let key: String

  func response(_ headers: ControlHeaders, pieces: @escaping @ControlActor @Sendable () -> [UInt8]?) -> ControlResponse
  {
    let produce: @ControlActor @Sendable (ControlBodyWriter) async throws -> Void = { writer in
      var left = Int.max
      var stalls = false
      for kind in kinds {
        if case .truncated(let bytes) = kind { left = bytes }
        if case .stalled(let bytes) = kind {
          left = bytes
          stalls = true
        }
      }
      while var piece = pieces() {
        let isLast = piece.count >= left
        if isLast { piece.removeSubrange(left...) }
        try await write(piece, to: writer)
        log.sent(piece.count, for: key)
        left -= piece.count
        if isLast {
          if stalls { try await ServerFaults.forever() }
          throw BrokenOff()
        }
      }
    }
    // Only a body that may never end needs to notice that the client has gone; the others keep the connection.
    let mayStall = kinds.contains { if case .stalled = $0 { true } else { false } }
    return ControlResponse(headers: headers, body: mayStall ? .watch(produce) : .stream(produce))
  }

  private func write(_ piece: [UInt8], to writer: ControlBodyWriter) async throws {
    for case .slow(let pieceBytes, let milliseconds) in kinds {
      var rest = piece[...]
      while !rest.isEmpty {
        try await writer.write(Array(rest.prefix(pieceBytes)))
        rest = rest.dropFirst(pieceBytes)
        try await ControlActor.sleep(milliseconds: milliseconds)
      }
      return
    }
    try await writer.write(piece)
  }
}
