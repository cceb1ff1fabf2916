import MeshBase

extension Configuration {
  /// What an HTTP/2 connection announces to its peer.
  public struct HTTP2: Sendable, Equatable {
    /// Bytes of body a peer may send on a new stream before any is passed on; grows while the bytes are taken.
    public var initialStreamWindowBytes = 65_536
    /// Bytes of payload a peer may put into one frame.
    public var maxFrameBytes = 16_384
    /// Bytes of the table with which the peer compresses header lines.
    public var headerTableBytes = 4_096
    /// Bytes of all header lines of one message, 32 more for each; beyond: 431.
    public var maxHeaderListBytes = 32_768
    /// Bytes of body a peer may have under way on a whole new connection.
    public var initialConnectionWindowBytes = 1_048_576
    /// Up to this a stream's window grows.
    public var maxStreamWindowBytes = 16_777_216
    /// Bytes of body held for one connection, all streams together, before its peer gets no more credit.
    public var maxReceiveBufferBytes = 16_777_216
    /// What a connection may cost.
    public var limits = HTTP2Limits()

    public init() {}
  }

  /// How endpoints are spoken to.
  public enum ClientProtocol: String, Sendable, CaseIterable {
    case h1, h2
    /// By ALPN with TLS; without, as the caller spoke, or the first caller as `l5d-orig-proto` tells.
    case auto
  }
}
