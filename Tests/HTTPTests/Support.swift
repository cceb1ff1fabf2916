import HTTP

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// One parsed head with the bytes it came from.
struct ParsedRequest {
  var head = RequestHead()
  var raw: [UInt8]
  var result: H1ParseResult

  init(_ raw: [UInt8], limits: H1Limits = H1Limits()) {
    self.raw = raw
    result = .needMore
    var head = RequestHead()
    result = head.parse(raw.span, limits: limits)
    self.head = head
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
    result = .needMore
    var head = ResponseHead()
    result = head.parse(raw.span, requestMethod: method, limits: limits)
    self.head = head
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
