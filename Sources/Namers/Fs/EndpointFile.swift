import MeshBase

/// The text form of a set of endpoints: a line `host port` or `host port * weight` for each, `#` starts a comment.
public enum EndpointFile {
  /// Larger files are refused.
  public static let bytesMax = 500_000

  /// The first thing that is wrong; one bad line spoils the whole file.
  public struct Problem: Error, Equatable, Sendable, CustomStringConvertible {
    /// Both from 1; the column counts bytes.
    public let line: Int
    public let column: Int
    /// What is wrong and what to write instead.
    public let message: String

    public var description: String { "line \(line), column \(column): \(message)" }
  }

  public static func parse(_ bytes: [UInt8]) throws(Problem) -> [HostEntry] {
    var entries: [HostEntry] = []
    var line = 0
    var start = 0
    while start < bytes.count {
      line += 1
      let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      if let entry = try parse(line: bytes[start..<end], number: line) { entries.append(entry) }
      start = end + 1
    }
    return entries
  }

  private struct Word {
    let bytes: ArraySlice<UInt8>
    let column: Int
    var text: String { String(decoding: bytes, as: UTF8.self) }
  }

  private static func parse(line: ArraySlice<UInt8>, number: Int) throws(Problem) -> HostEntry? {
    let words = words(of: line)
    guard let host = words.first else { return nil }
    func problem(_ column: Int, _ message: String) -> Problem {
      Problem(line: number, column: column, message: message)
    }
    let end = (words.last.map { $0.column + $0.bytes.count } ?? 1)
    guard isHost(host.text) else {
      let hint = host.text.contains(":") ? "; write host and port as two words, `10.0.0.1 8080`" : ""
      throw problem(host.column, "`\(shown(host))` is neither an address nor a host name\(hint)")
    }
    guard words.count > 1 else {
      throw problem(end, "the port is missing; a line is `host port` or `host port * weight`")
    }
    guard let port = decimal(words[1].bytes, max: 65_535), port > 0 else {
      throw problem(words[1].column, "`\(shown(words[1]))` is not a port; write a number from 1 to 65535")
    }
    guard words.count > 2 else { return HostEntry(host: host.text, port: UInt16(port), line: number) }
    guard words[2].text == "*" else {
      throw problem(
        words[2].column, "`\(shown(words[2]))` is unexpected; behind the port comes nothing, `* weight` or `# comment`")
    }
    guard words.count > 3 else {
      throw problem(end, "the weight is missing behind `*`; write a number such as `* 2.5`")
    }
    guard let weight = weight(words[3].bytes) else {
      throw problem(
        words[3].column, "`\(shown(words[3]))` is not a weight; write digits with at most one dot, `2` or `0.5`")
    }
    guard words.count == 4 else {
      throw problem(words[4].column, "`\(shown(words[4]))` is unexpected; write one endpoint on a line")
    }
    return HostEntry(host: host.text, port: UInt16(port), weight: weight, line: number)
  }

  /// Runs of bytes between blanks, up to a `#`; a `*` is a word of its own.
  private static func words(of line: ArraySlice<UInt8>) -> [Word] {
    var words: [Word] = []
    var start: Int?
    func take(to end: Int) {
      if let begin = start { words.append(Word(bytes: line[begin..<end], column: begin - line.startIndex + 1)) }
      start = nil
    }
    for index in line.indices {
      switch line[index] {
      case UInt8(ascii: "#"):
        take(to: index)
        return words
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
        take(to: index)
      case UInt8(ascii: "*"):
        take(to: index)
        start = index
        take(to: index + 1)
      default:
        start = start ?? index
      }
    }
    take(to: line.endIndex)
    return words
  }

  private static func isHost(_ text: String) -> Bool {
    if text.hasPrefix("[") && text.hasSuffix("]") {
      return SocketAddress(ip: String(text.dropFirst().dropLast()), port: 0) != nil
    }
    if SocketAddress(ip: text, port: 0) != nil { return true }
    return !Resolver.looksLikeAddress(text) && Resolver.isHostName(text)
  }

  private static func decimal(_ bytes: ArraySlice<UInt8>, max: Int) -> Int? {
    guard (1...9).contains(bytes.count), bytes.allSatisfy(Ascii.isDigit) else { return nil }
    let value = bytes.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    return value <= max ? value : nil
  }

  private static func weight(_ bytes: ArraySlice<UInt8>) -> Double? {
    let dots = bytes.count { $0 == UInt8(ascii: ".") }
    guard dots <= 1, bytes.count > dots, bytes.allSatisfy({ Ascii.isDigit($0) || $0 == UInt8(ascii: ".") }) else {
      return nil
    }
    guard let value = Double("0" + String(decoding: bytes, as: UTF8.self) + "0"), value.isFinite else { return nil }
    // Without a dot the zero put behind has made it tenfold.
    return dots == 1 ? value : value / 10
  }

  /// A word for a message: cut short, without control characters.
  private static func shown(_ word: Word) -> String {
    let cut = String(word.text.prefix(40))
    let clean = String(
      String.UnicodeScalarView(cut.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "\u{fffd}" : $0 }))
    return cut.count < word.text.count ? clean + "…" : clean
  }
}
