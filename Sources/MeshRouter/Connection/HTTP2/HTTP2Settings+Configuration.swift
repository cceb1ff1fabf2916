import Config
import HTTP

extension HTTP2Settings {
  init(_ configuration: Configuration.HTTP2) {
    self.init()
    initialStreamWindowBytes = configuration.initialStreamWindowBytes
    maxFrameBytes = configuration.maxFrameBytes
    headerTableBytes = configuration.headerTableBytes
    maxHeaderListBytes = configuration.maxHeaderListBytes
  }
}
