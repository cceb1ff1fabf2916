import Config
import HTTP

extension HTTP2Settings {
  init(_ configuration: Configuration.HTTP2) {
    self.init()
    initialStreamWindowBytes = configuration.initialStreamWindowBytes
    maxFrameBytes = configuration.maxFrameBytes
    headerTableBytes = configuration.headerTableBytes
    maxHeaderListBytes = configuration.maxHeaderListBytes
    connectionWindowBytes = configuration.initialConnectionWindowBytes
    streamWindowBytesMax = configuration.maxStreamWindowBytes
    receiveBufferBytesMax = configuration.maxReceiveBufferBytes
  }
}

extension H1Limits {
  /// For heads that came over HTTP/2 and were put into the form of HTTP/1: `maxHeaderListBytes` bounds them, and the
  /// form adds no more than a few lines.
  init(http2: HTTP2Settings) {
    self.init(lineBytesMax: http2.maxHeaderListBytes + 64, headBytesMax: http2.maxHeaderListBytes + 1_024)
  }
}
