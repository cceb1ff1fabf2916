import HTTP
import HTTP2Cases
import MeshBase

/// A server session fed with frames made by hand.
final class RawClient {
  let server: HTTP2End
  /// What the server has sent so far, but for its settings and their acknowledgement.
  var frames: [RawFrame] = []
  var now: UInt64 = 0

  static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  init(_ settings: HTTP2Settings = HTTP2Settings(), limits: HTTP2Limits = HTTP2Limits(), handshake: Bool = true) {
    server = HTTP2End(.server, settings, limits: limits)
    if handshake {
      server.receive(RawClient.preface + settingsFrame().bytes + RawFrame(type: 4, flags: 1).bytes)
      _ = server.output()
    }
  }

  @discardableResult
  func send(_ frames: RawFrame...) -> Self { send(frames) }

  @discardableResult
  func send(_ frames: [RawFrame]) -> Self { send(bytes: frames.flatMap(\.bytes)) }

  @discardableResult
  func send(bytes: [UInt8]) -> Self {
    server.receive(bytes, at: now)
    frames += RawFrame.all(server.output()).filter { $0.type != 4 }
    return self
  }

  /// The code of the GOAWAY that was sent.
  var goaway: HTTP2ErrorCode? { frames.last { $0.type == 7 }?.code }
  /// The code of the first RST_STREAM for `stream`.
  func reset(_ stream: UInt32) -> HTTP2ErrorCode? { frames.first { $0.type == 3 && $0.stream == stream }?.code }
  var heads: [String] { server.streams.map(\.head) }
}
