import HTTP

/// What holds for the codec on any input. The first byte chooses what is read (request, response, chunked body), the
/// second where the input is cut in two; a broken law ends the process.
func checkH1Laws(_ input: [UInt8]) {
  guard input.count > 2 else { return }
  let text = Array(input[2...])
  let cut = Int(input[1]) * text.count / 255
  switch input[0] % 3 {
  case 0: checkRequest(text, cut: cut)
  case 1: checkResponse(text, method: input[0] & 0x40 == 0 ? .get : .head, cut: cut)
  default: checkChunked(text, cut: cut)
  }
}

private let limits = H1Limits(lineBytesMax: 512, headBytesMax: 2_048, fieldCountMax: 40)

private func checkRequest(_ text: [UInt8], cut: Int) {
  var head = RequestHead()
  let result = head.parse(text.span, limits: limits)
  var early = RequestHead()
  let prefix = Array(text[..<cut])
  checkPrefix(early.parse(prefix.span, limits: limits), result, whole: head.length, cut: cut)
  guard result == .complete else { return }
  checkBlock(head.block, text, start: head.start, length: head.length)
  for range in [head.target, head.methodRange, head.authority, head.pathAndQuery, head.host ?? .empty] {
    precondition(range.start >= 0 && range.count >= 0 && range.end <= head.length, "range outside of the head")
  }
  // The bytes after the head do not matter.
  var exact = RequestHead()
  let alone = Array(text[..<head.length])
  precondition(exact.parse(alone.span, limits: limits) == .complete, "depends on what follows")
  precondition(exact.fields == head.fields && exact.framing == head.framing, "depends on what follows")
  precondition(head.framing != .untilClose, "a request that lasts until close")
  checkForwarded(head, text)
}

/// What we would send on is a request that we would take, of the same meaning.
private func checkForwarded(_ head: RequestHead, _ text: [UInt8]) {
  let out = ByteBuffer()
  text.withUnsafeBytes { raw in
    out.append(raw[head.methodRange])
    out.append(" ")
    head.appendOriginForm(raw, to: out)
    out.append(" HTTP/1.1\r\nHost: ")
    if let host = head.host { out.append(raw[host]) }
    out.append("\r\n")
    head.appendForwardable(raw, skipping: .host, to: out)
    if head.framing == .chunked { out.appendField("Transfer-Encoding", "chunked") }
    out.append("\r\n")
  }
  var next = RequestHead()
  let wide = H1Limits(lineBytesMax: 4_096, fieldCountMax: 64)
  let result = out.withSpan { next.parse($0, limits: wide) }
  precondition(result == .complete, "what is sent on is refused: \(result)")
  precondition(next.length == out.count && next.framing == head.framing, "what is sent on is framed otherwise")
  precondition(next.method == head.method && next.viaCount == head.viaCount, "what is sent on means something else")
  let sent = Array(out.readable)
  precondition(
    Array(sent[(next.host ?? .empty).indices]) == Array(text[(head.host ?? .empty).indices]), "sent on to another host")
  for field in next.fields {
    let isOurs = field.id == .transferEncoding && head.framing == .chunked
    precondition(isOurs || !field.isHopByHop, "a hop-by-hop field is sent on")
  }
}

private func checkResponse(_ text: [UInt8], method: Method, cut: Int) {
  var head = ResponseHead()
  let result = head.parse(text.span, requestMethod: method, limits: limits)
  var early = ResponseHead()
  let prefix = Array(text[..<cut])
  checkPrefix(early.parse(prefix.span, requestMethod: method, limits: limits), result, whole: head.length, cut: cut)
  guard result == .complete else { return }
  checkBlock(head.block, text, start: 0, length: head.length)
  precondition(head.status >= 100 && head.status <= 999 && head.reason.end <= head.length, "status or reason")
  if method == .head || head.status == 204 || head.status == 304 || head.status < 200 {
    precondition(head.framing == .none, "a body where there is none")
  }
  precondition(head.framing != .untilClose || !head.keepAlive, "kept alive without an end")
}

/// A prefix never says otherwise than the whole, except that it may need more.
private func checkPrefix(_ early: H1ParseResult, _ late: H1ParseResult, whole: Int, cut: Int) {
  switch early {
  case .needMore: break
  case .failed(let error): precondition(late == .failed(error), "refused early, then \(late)")
  case .complete: precondition(late == .complete && whole <= cut, "complete early, then \(late)")
  }
}

private func checkBlock(_ block: FieldBlock, _ text: [UInt8], start: Int, length: Int) {
  precondition(length <= text.count && Array(text[(length - 4)..<length]) == [13, 10, 13, 10], "end of the head")
  precondition(!text[start..<length].contains(0), "a NUL was accepted")
  for index in start..<length {
    if text[index] == 13 { precondition(text[index + 1] == 10, "a bare CR was accepted") }
    if text[index] == 10 { precondition(text[index - 1] == 13, "a bare LF was accepted") }
  }
  var lineStart: Int?
  var seen = KnownHeaderSet()
  for (index, field) in block.fields.enumerated() {
    precondition(lineStart == nil || field.line.start == lineStart, "a gap between lines")
    lineStart = field.line.end
    precondition(field.name.start == field.line.start && field.name.count > 0, "name")
    precondition(text[field.name.end] == UInt8(ascii: ":") && field.value.start > field.name.end, "colon")
    precondition(field.value.count >= 0 && field.value.end <= field.line.end - 2, "value")
    if !seen.contains(field.id) { precondition(block.index(of: field.id) == index, "index of \(field.id)") }
    precondition(block.repeated.contains(field.id) || !seen.contains(field.id), "repetition of \(field.id)")
    seen.insert(field.id)
  }
  if let lineStart { precondition(lineStart == length - 2, "lines before the blank one") }
  precondition(seen == block.present, "present names")
  let isFramedTwice = block.present.contains(.contentLength) && block.present.contains(.transferEncoding)
  precondition(!isFramedTwice && !block.repeated.contains(.contentLength), "two framings")
}

private func checkChunked(_ text: [UInt8], cut: Int) {
  let whole = decode([text])
  let parts = decode([Array(text[..<cut]), Array(text[cut...])])
  precondition(whole.data == parts.data && whole.rule == parts.rule, "depends on how it is cut")
  precondition(whole.isFinished == parts.isFinished && whole.used == parts.used, "depends on how it is cut")
  precondition(whole.trailers == parts.trailers, "depends on how it is cut")
  guard whole.isFinished else { return }
  let out = ByteBuffer()
  if !whole.data.isEmpty { out.appendChunk(whole.data.span) }
  let trailers = ByteBuffer()
  trailers.append(whole.trailers.span)
  out.appendLastChunk(trailers: trailers.readable)
  let again = decode([Array(out.readable)])
  precondition(again.isFinished && again.data == whole.data, "what is sent on is another body")
  precondition(again.trailers == whole.trailers && again.used == out.count, "what is sent on has other trailers")
}

private func decode(
  _ parts: [[UInt8]]
) -> (data: [UInt8], trailers: [UInt8], rule: H1Rule?, isFinished: Bool, used: Int) {
  var decoder = ChunkedDecoder(limits: limits)
  var data: [UInt8] = []
  var before = 0
  for part in parts {
    var index = 0
    loop: while true {
      let step = decoder.next(part.span, from: index)
      precondition(step.consumedTo >= index && step.consumedTo <= part.count, "consumed")
      index = step.consumedTo
      switch step.event {
      case .data(let range): data += part[range]
      case .needMore: break loop
      case .end: return (data, decoder.trailers.map { Array($0.readable) } ?? [], nil, true, before + index)
      case .failed(let error): return (data, [], error.rule, false, before + index)
      }
    }
    before += part.count
  }
  return (data, [], nil, false, before)
}
