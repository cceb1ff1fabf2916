/// What one end announces to its peer and how much it lets the peer send before being read.
public struct HTTP2Settings: Equatable, Sendable {
  /// Bytes of body that the peer may send on a new stream before the owner took any (SETTINGS_INITIAL_WINDOW_SIZE).
  public var initialStreamWindowBytes = 65_536
  /// Up to this a stream's window grows while its owner takes all that comes; bandwidth times delay decides.
  public var streamWindowBytesMax = 16 << 20
  /// Bytes the peer may have under way on the whole connection at the start; grows with the stream windows.
  public var connectionWindowBytes = 1 << 20
  /// Bytes received on one connection and not yet taken, all streams together, up to which the connection's credit is
  /// returned at once; beyond, only as owners take bytes. Also bounds what stream windows grow by, all together.
  public var receiveBufferBytesMax = 16 << 20
  /// Bytes of payload the peer may put into one frame (SETTINGS_MAX_FRAME_SIZE), 16,384 to 16,777,215.
  public var maxFrameBytes = 16_384
  /// Bytes of the table with which the peer compresses field lines (SETTINGS_HEADER_TABLE_SIZE).
  public var headerTableBytes = 4_096
  /// Bytes of one received field section, each line counted with 32 more (SETTINGS_MAX_HEADER_LIST_SIZE); beyond: 431.
  public var maxHeaderListBytes = 32_768
  /// Streams the peer may have open at a time (SETTINGS_MAX_CONCURRENT_STREAMS); servers only.
  public var maxConcurrentStreams = 1_000
  /// Whether a server takes CONNECT with `:protocol`, RFC 8441.
  public var enableConnectProtocol = true

  public init() {}
}

/// Which end of the connection this is.
public enum HTTP2Role: Sendable { case server, client }
