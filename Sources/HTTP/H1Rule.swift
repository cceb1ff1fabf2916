import MeshBase

/// Every rule whose breach makes us refuse a message. A refused message is never repaired.
public enum H1Rule: UInt8, CaseIterable, Sendable {
  // Start line.
  case badMethod, badTarget, badTargetByte, emptyTarget, badAuthority, userinfoInTarget, authorityWithoutConnect
  case connectWithoutAuthority, asteriskWithoutOptions, unsupportedScheme, badRequestLine, badVersion
  case unsupportedVersion, badStatusLine, badStatusCode, lineTooLong
  // Field lines.
  case bareCR, bareLF, obsFold, whitespaceBeforeFirstField, spaceBeforeColon, emptyName, badName, missingColon
  case badValueByte, tooManyFields, headTooLong
  // Host, Connection.
  case missingHost, repeatedHost, badHost, badConnectionOption, tooManyConnectionOptions
  // Framing.
  case badContentLength, repeatedContentLength, contentLengthTooLarge, lengthAndTransferEncoding
  case transferEncodingOnOldVersion, badTransferEncoding, unknownTransferCoding, chunkedNotLast, chunkedTwice
  case contentOnConnect
  // Chunked body.
  case badChunkSize, chunkSizeTooLarge, badChunkExtension, chunkLineTooLong, badChunkLineEnd, junkAfterChunk
  case trailersTooLong
}

extension H1Rule {
  /// The status with which a request that breaks the rule is answered. A response that breaks any is a 502.
  public var status: Int {
    switch self {
    case .lineTooLong: 414
    case .headTooLong, .tooManyFields, .tooManyConnectionOptions, .trailersTooLong: 431
    case .unknownTransferCoding: 501
    case .unsupportedVersion: 505
    default: 400
    }
  }

  /// The reason word for a request that breaks the rule. A response that breaks any is `relay.bad_response`.
  public var reason: Reason {
    switch self {
    case .lineTooLong, .headTooLong, .tooManyFields, .tooManyConnectionOptions, .trailersTooLong: .decodeTooLarge
    case .unknownTransferCoding, .unsupportedVersion: .decodeUnsupported
    case .badContentLength, .repeatedContentLength, .contentLengthTooLarge, .lengthAndTransferEncoding,
      .transferEncodingOnOldVersion, .badTransferEncoding, .chunkedNotLast, .chunkedTwice, .contentOnConnect,
      .badChunkSize, .chunkSizeTooLarge, .badChunkExtension, .chunkLineTooLong, .badChunkLineEnd, .junkAfterChunk:
      .decodeFramingConflict
    default: .decodeMalformed
    }
  }

  /// One sentence: the rule, and where it is written.
  public var message: StaticString {
    switch self {
    case .badMethod: "the method must be a token followed by one space (RFC 9112 §3)"
    case .badTarget: "the request target must start with '/', or be a full URI, or '*' with OPTIONS (RFC 9112 §3.2)"
    case .badTargetByte:
      "the request target must not hold spaces, controls, '#' or bytes above 0x7e; percent-encode them (RFC 9112 §3.2)"
    case .emptyTarget: "the request line has no target (RFC 9112 §3)"
    case .badAuthority: "the target's authority must be host[:port] with a port of at most 65535 (RFC 3986 §3.2)"
    case .userinfoInTarget: "user information before '@' is not allowed in an http URI (RFC 9110 §4.2.4)"
    case .authorityWithoutConnect: "a target of the form host:port is for CONNECT alone (RFC 9112 §3.2.3)"
    case .connectWithoutAuthority: "CONNECT needs a target of the form host:port (RFC 9112 §3.2.3)"
    case .asteriskWithoutOptions: "the target '*' is for OPTIONS alone (RFC 9112 §3.2.4)"
    case .unsupportedScheme: "a full request target must be an http or https URI (RFC 9110 §4.2)"
    case .badRequestLine: "the request line must be METHOD SP TARGET SP HTTP/1.x CRLF (RFC 9112 §3)"
    case .badVersion: "the version must be HTTP/ digit . digit, in capitals (RFC 9112 §2.3)"
    case .unsupportedVersion: "only HTTP/1.0 and HTTP/1.1 are spoken here (RFC 9110 §2.5)"
    case .badStatusLine: "the status line must be HTTP/1.x SP 3DIGIT SP reason CRLF (RFC 9112 §4)"
    case .badStatusCode: "the status code must have three digits and be at least 100 (RFC 9110 §15)"
    case .lineTooLong: "the request or status line is longer than the limit `maxInitialLineKB` (RFC 9112 §3)"
    case .bareCR: "CR must be followed by LF (RFC 9112 §2.2)"
    case .bareLF: "a line must end in CRLF; LF alone is refused (RFC 9112 §2.2)"
    case .obsFold: "a field must not be folded over several lines (RFC 9112 §5.2)"
    case .whitespaceBeforeFirstField: "white space between the start line and the first field (RFC 9112 §2.2)"
    case .spaceBeforeColon: "no white space is allowed between a field name and its colon (RFC 9112 §5.1)"
    case .emptyName: "a field line must not start with a colon (RFC 9112 §5)"
    case .badName: "a field name must be a token (RFC 9110 §5.1)"
    case .missingColon: "a field line must have a colon (RFC 9112 §5)"
    case .badValueByte: "a field value must not hold NUL or other controls except HTAB (RFC 9110 §5.5)"
    case .tooManyFields: "more field lines than the limit (RFC 9110 §5.4)"
    case .headTooLong: "the head is longer than the limit `maxHeadersKB` (RFC 9110 §5.4)"
    case .missingHost: "an HTTP/1.1 request must have a Host field (RFC 9112 §3.2)"
    case .repeatedHost: "a request must not have more than one Host field (RFC 9112 §3.2)"
    case .badHost: "Host must be host[:port] with a port of at most 65535 (RFC 9110 §7.2)"
    case .badConnectionOption: "Connection must be a list of tokens (RFC 9110 §7.6.1)"
    case .tooManyConnectionOptions: "more Connection options than the limit (RFC 9110 §7.6.1)"
    case .badContentLength: "Content-Length must be decimal digits only (RFC 9110 §8.6)"
    case .repeatedContentLength: "Content-Length must occur once, with one value (RFC 9112 §6.3)"
    case .contentLengthTooLarge: "Content-Length must be below 2^63 (RFC 9110 §8.6)"
    case .lengthAndTransferEncoding: "Content-Length and Transfer-Encoding must not occur together (RFC 9112 §6.3)"
    case .transferEncodingOnOldVersion: "HTTP/1.0 has no Transfer-Encoding (RFC 9112 §6.1)"
    case .badTransferEncoding: "Transfer-Encoding must be a list of codings; chunked takes no parameters (RFC 9112 §7)"
    case .unknownTransferCoding: "no transfer coding but chunked is implemented (RFC 9112 §6.1)"
    case .chunkedNotLast: "chunked must be the last transfer coding (RFC 9112 §6.3)"
    case .chunkedTwice: "chunked must be applied once only (RFC 9112 §6.1)"
    case .contentOnConnect: "a CONNECT request has no content (RFC 9110 §9.3.6)"
    case .badChunkSize: "a chunk size must be hexadecimal digits (RFC 9112 §7.1)"
    case .chunkSizeTooLarge: "a chunk size must be below 2^63 (RFC 9112 §7.1)"
    case .badChunkExtension: "chunk extensions must be ;name[=value] with token or quoted value (RFC 9112 §7.1.1)"
    case .chunkLineTooLong: "a chunk's size line is longer than the limit (RFC 9112 §7.1.1)"
    case .badChunkLineEnd: "a chunk's size line must end in CRLF (RFC 9112 §7.1)"
    case .junkAfterChunk: "a chunk's data must be followed by CRLF (RFC 9112 §7.1)"
    case .trailersTooLong: "the trailer section is longer than the limit (RFC 9110 §6.5)"
    }
  }
}

/// A message that was refused: which rule it broke, and at which byte.
public struct H1Error: Error, Equatable, Sendable {
  public var rule: H1Rule
  /// Bytes from the start of the input in which the error was found: of the head, or of the input to that call of
  /// `ChunkedDecoder.next`.
  public var offset: Int32

  @inlinable
  public init(_ rule: H1Rule, at offset: Int) {
    self.rule = rule
    self.offset = Int32(clamping: offset)
  }

  public var reason: Reason { rule.reason }
  public var status: Int { rule.status }
  public var message: StaticString { rule.message }
}

extension H1Error: CustomStringConvertible {
  public var description: String { "byte \(offset): \(message)" }
}

/// What a parser made of the bytes so far.
public enum H1ParseResult: Equatable, Sendable {
  case complete
  /// Valid so far; call again with more bytes after the same ones.
  case needMore
  case failed(H1Error)
}
