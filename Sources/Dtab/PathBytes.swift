/// The bytes behind `Path` and `PathPrefix`: for each element its length, then that many bytes.
///
/// A length below 255 takes one byte; a longer one the byte 255 and four more, most significant first. Length 0 is the
/// wildcard, which only a prefix holds, for an empty label does not exist. The encoding of a path is unique and that
/// of a prefix of it is a prefix of it, so equality and prefix tests need no look at the elements.
enum PathBytes {
  static func append(_ label: some Collection<UInt8>, to encoded: inout [UInt8]) {
    appendLength(label.count, to: &encoded)
    encoded += label
  }

  static func appendLength(_ count: Int, to encoded: inout [UInt8]) {
    if count < 255 {
      encoded.append(UInt8(count))
    } else {
      precondition(count <= UInt32.max, "a label of 4 GiB")
      encoded += [255, UInt8(count >> 24), UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255)]
    }
  }

  static func appendWildcard(to encoded: inout [UInt8]) { encoded.append(0) }

  /// Where the bytes of the element at `offset` lie, moving `offset` behind them; empty for a wildcard, `nil` at the end.
  static func label(of encoded: [UInt8], at offset: inout Int) -> Range<Int>? {
    guard offset < encoded.count else { return nil }
    var length = Int(encoded[offset])
    offset += 1
    if length == 255 {
      length = encoded[offset..<offset + 4].reduce(0) { $0 << 8 | Int($1) }
      offset += 4
    }
    let range = offset..<offset + length
    offset += length
    return range
  }

  static func hasPrefix(_ encoded: [UInt8], _ prefix: [UInt8]) -> Bool {
    guard prefix.count <= encoded.count else { return false }
    let (whole, part) = (encoded.span, prefix.span)
    for index in part.indices where whole[index] != part[index] { return false }
    return true
  }

  /// As written; a wildcard is `*`.
  static func printed(_ encoded: [UInt8]) -> String {
    if encoded.isEmpty { return "/" }
    var text: [UInt8] = []
    text.reserveCapacity(encoded.count)
    var offset = 0
    while let range = label(of: encoded, at: &offset) {
      text.append(UInt8(ascii: "/"))
      if range.isEmpty {
        text.append(UInt8(ascii: "*"))
      } else {
        Label.print(encoded[range], into: &text)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

/// What a prefix left of a path: `count` labels, the first of them at byte `offset` of the path's encoding.
@usableFromInline struct PathTail: Equatable, Sendable {
  let offset: Int
  let count: Int
}
