import Glibc
import HTTP

/// Whole messages between two processes of this host, each with a kind and a payload: one byte, the length in four
/// (the highest first), the bytes.
@ControlActor
public final class MessageSocket {
  public struct Message: Sendable, Equatable {
    public var kind: UInt8
    public var payload: [UInt8]

    public init(kind: UInt8, _ payload: [UInt8] = []) {
      self.kind = kind
      self.payload = payload
    }
  }

  private let socket: AsyncSocket
  private let input = ByteBuffer()
  private static let headBytes = 5
  private static let payloadBytesMax = 64 << 20

  private init(_ socket: AsyncSocket) { self.socket = socket }

  /// Takes over the end that the process was started with.
  public convenience init(owning descriptor: Int32) throws(SystemError) {
    guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else { throw SystemError("fcntl") }
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    self.init(try AsyncSocket.accepted(Descriptor(owning: descriptor)))
  }

  /// One end for us, and one for the other process.
  public static func pair() throws(SystemError) -> (own: MessageSocket, other: Int32) {
    var ends: [Int32] = [0, 0]
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw SystemError("socketpair") }
    do throws(SystemError) {
      return (MessageSocket(try AsyncSocket.accepted(Descriptor(owning: ends[0]))), ends[1])
    } catch {
      Glibc.close(ends[1])
      throw error
    }
  }

  public func send(_ message: Message) async throws {
    let count = UInt32(message.payload.count)
    let head = [message.kind] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
    try await socket.write(head + message.payload)
  }

  /// `nil` when the other end is closed, as it is when its process has ended.
  public func receive() async throws -> Message? {
    while true {
      if let message = try next() { return message }
      let bytes: [UInt8]
      do { bytes = try await socket.read() } catch let error as SystemError where error.isReset { return nil }
      if bytes.isEmpty { return nil }
      input.append(bytes.span)
    }
  }

  private func next() throws(SystemError) -> Message? {
    let bytes = input.readable
    guard bytes.count >= Self.headBytes else { return nil }
    let count = bytes[1...4].reduce(0) { $0 << 8 | Int($1) }
    guard count <= Self.payloadBytesMax else { throw SystemError("recv", code: EMSGSIZE) }
    guard bytes.count >= Self.headBytes + count else { return nil }
    let message = Message(kind: bytes[0], Array(bytes[Self.headBytes..<Self.headBytes + count]))
    input.consume(Self.headBytes + count)
    return message
  }

  /// From then on sending and receiving fail with ETIMEDOUT.
  public func setDeadline(millisecondsFromNow: UInt64?) {
    socket.setDeadline(millisecondsFromNow.map { Clock.now.advanced(byMilliseconds: $0) })
  }

  public func close() { socket.close() }
}
