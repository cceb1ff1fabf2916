import CNghttp2
import MeshBase

/// Why a connection cannot go on. Its GOAWAY is in the output already: write it, then close.
public struct HTTP2Failure: Equatable, Sendable {
  /// What the peer is told.
  public var code: HTTP2ErrorCode
  /// What the peer did too much of, if that is why.
  public var abuse: HTTP2Abuse?
  /// libnghttp2's number for the cause; 0 where the cause is ours. For the log: `explanation` puts it into words.
  public var libraryError: Int32

  init(code: HTTP2ErrorCode, libraryError: Int32) {
    self.code = code
    self.libraryError = libraryError
    // The one rule whose breach is found by libnghttp2 and counted as an abuse: credit that does not fit.
    abuse = code == .flowControlError ? .windowOverflow : nil
  }

  /// Of too much of something: the peer is asked to calm down.
  init(_ abuse: HTTP2Abuse) {
    code = abuse == .windowOverflow ? .flowControlError : .enhanceYourCalm
    self.abuse = abuse
    libraryError = 0
  }

  /// The cause in words.
  public var explanation: String {
    if libraryError != 0 { return "\(code): \(String(cString: nghttp2_strerror(libraryError)))" }
    return abuse.map { "\(code): \($0.rawValue)" } ?? code.description
  }
}
