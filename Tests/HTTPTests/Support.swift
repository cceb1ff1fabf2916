@testable import HTTP

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// One parsed head with the bytes it came from.
struct ParsedRequest {
  var head = RequestHead()
  var raw: [UInt8]
  var result: H1ParseResult

  init(_ raw: [UInt8], limits: H1Limits = H1Limits()) {
    self.raw = raw
    result = head.parse(raw.span, limits: limits)
  }

  init(_ text: String, limits: H1Limits = H1Limits()) { self.init(bytes(text), limits: limits) }

  func text(_ range: ByteRange?) -> String? {
    range.map { String(decoding: raw[$0.indices], as: UTF8.self) }
  }

  var rule: H1Rule? {
    if case .failed(let error) = result { return error.rule }
    return nil
  }
}

struct ParsedResponse {
  var head = ResponseHead()
  var raw: [UInt8]
  var result: H1ParseResult

  init(_ raw: [UInt8], _ method: HTTP.Method = .get, limits: H1Limits = H1Limits()) {
    self.raw = raw
    result = head.parse(raw.span, requestMethod: method, limits: limits)
  }

  init(_ text: String, _ method: HTTP.Method = .get, limits: H1Limits = H1Limits()) {
    self.init(bytes(text), method, limits: limits)
  }

  func text(_ range: ByteRange?) -> String? {
    range.map { String(decoding: raw[$0.indices], as: UTF8.self) }
  }

  var rule: H1Rule? {
    if case .failed(let error) = result { return error.rule }
    return nil
  }
}

/// All that a parse tells, for comparison of two.
struct Shown {
  var values: [String]

  init(_ head: RequestHead) {
    values = [
      "\(head.method) \(head.methodRange) \(head.target) \(head.targetForm) \(head.authority) \(head.pathAndQuery)",
      "\(head.pathNeedsSlash) \(head.isServerWide) \(String(describing: head.host)) \(head.framing) \(head.keepAlive)",
      "\(head.expectsContinue) \(head.hasUnknownExpectation) \(head.wantsUpgrade) \(head.acceptsTrailers)",
      "\(head.length) \(head.start) \(head.minorVersion) \(head.viaCount) \(Array(head.fields))",
      "\(head.block.present) \(head.block.repeated) \(head.block.hasHopByHop) \(head.block.connectionClose)",
      "\(head.block.connectionKeepAlive) \(head.block.connectionUpgrade)",
    ]
  }

  init(_ head: ResponseHead) {
    values = [
      "\(head.status) \(head.reason) \(head.minorVersion) \(head.framing) \(head.keepAlive) \(head.length)",
      "\(String(describing: head.declaredLength)) \(head.viaCount) \(Array(head.fields)) \(head.block.present)",
    ]
  }
}

/// What `body` writes into an empty buffer.
func written(_ body: (ByteBuffer) -> Void) -> String {
  let buffer = ByteBuffer()
  body(buffer)
  return String(decoding: buffer.readable, as: UTF8.self)
}

extension [UInt8] {
  /// The bytes at an address that stays; tests may leak them.
  var bytesCopy: UnsafeRawBufferPointer {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    copy.copyBytes(from: self)
    return UnsafeRawBufferPointer(copy)
  }
}

// Test expectations cannot hold a span, so each entry point that takes one gets a form for arrays.
extension RequestHead {
  mutating func parse(_ bytes: [UInt8], limits: H1Limits) -> H1ParseResult { parse(bytes.span, limits: limits) }
}

extension ChunkedDecoder {
  mutating func next(_ input: [UInt8], from start: Int) -> Step { next(input.span, from: start) }
}

extension FieldSyntax {
  static func isValidValue(_ text: String) -> Bool { isValidValue(bytes(text).span) }
  static func isToken(_ text: String) -> Bool { isToken(bytes(text).span) }
  static func isAuthority(_ text: String) -> Bool { isAuthority(bytes(text).span) }
}

extension HTTP2Preface {
  static func match(_ bytes: [UInt8]) -> Match { match(bytes.span) }
}
