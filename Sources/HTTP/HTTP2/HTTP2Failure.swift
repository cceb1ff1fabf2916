import CNghttp2

/// Why a connection cannot go on. Its GOAWAY is in the output already: write it, then close.
public struct HTTP2Failure: Equatable, Sendable {
  /// What the peer is told.
  public var code: HTTP2ErrorCode
  /// libnghttp2's number for the cause; 0 where the cause is ours. For the log: `explanation` puts it into words.
  public var libraryError: Int32

  init(code: HTTP2ErrorCode, libraryError: Int32) {
    self.code = code
    self.libraryError = libraryError
  }

  /// The cause in words.
  public var explanation: String {
    libraryError == 0 ? code.description : "\(code): \(String(cString: nghttp2_strerror(libraryError)))"
  }
}
