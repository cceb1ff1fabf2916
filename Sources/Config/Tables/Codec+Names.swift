import Dtab
import MeshBase

extension TextFault {
  /// What a parser of names found.
  init(_ error: DtabError, in text: String, rule: Diagnostic.Rule = .badValue) {
    let noun = rule == .dtabSyntax ? "dtab line \(error.line), " : "its "
    let message = error.message.last == "." ? String(error.message.dropLast()) : error.message
    self.init(
      message + " (\(noun)column \(error.column))", at: error.scalarOffset(in: text), rule: rule)
  }
}

extension DtabError {
  /// Scalars of the text before the place.
  func scalarOffset(in text: String) -> Int { text.utf8.prefix(offset).count { $0 & 0xc0 != 0x80 } }
}

extension Codec where Value == String {
  /// A path such as `/svc/web`.
  static var path: Codec {
    .text("path") { text in
      guard text.hasPrefix("/") else { return TextFault("\"\(text)\" is not a path", "Write \"/\(text)\".") }
      return pathFault(text)
    }
  }

  private static func pathFault(_ text: String) -> TextFault? {
    do throws(DtabError) {
      _ = try Path(parsing: text)
      return nil
    } catch {
      return TextFault(error, in: text)
    }
  }

  /// A path as `path`, without the `/#` that stands before it in dtabs.
  static var namerPrefix: Codec {
    .text("path") { text in
      if text.hasPrefix("/#/") {
        return TextFault(
          "\"\(text)\" has the \"/#\" too many", "Write \"\(text.dropFirst(2))\"; dtabs say \"\(text)\".")
      }
      guard text.hasPrefix("/"), text.utf8.count > 1 else {
        return TextFault("\"\(text)\" is not a prefix", "Write \"/\(text.drop { $0 == "/" })\".")
      }
      return pathFault(text)
    }
  }

  /// A pattern of `io.l5d.rewrite`.
  static var capturePattern: Codec {
    .text("pattern") { text in
      do throws(DtabError) {
        _ = try CapturePattern(parsing: text)
        return nil
      } catch {
        return TextFault(error, in: text)
      }
    }
  }

  /// The grammar of the dtab store, which makes file names of namespaces: 1 to 64 letters, digits, `-` or `_`.
  static func isNamespace(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        Ascii.isDigit(byte) || (0x61...0x7a).contains(Ascii.lowercased(byte)) || byte == 0x5f || byte == 0x2d
      }
  }

  static var namespace: Codec {
    .text("name") { text in
      if isNamespace(text) { return nil }
      return TextFault("\"\(text)\" is not the name of a namespace", "Use 1 to 64 letters, digits, - or _.")
    }
  }

  /// What names a router in metrics and on the command line.
  static var label: Codec {
    .text("name") { text in
      let isSafe = text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != 0x2f && $0 != 0x22 }
      return isSafe ? nil : TextFault("\"\(text)\" is not a label", "Use no spaces, slashes or quotes.")
    }
  }

  static var dtab: Codec {
    .text("dtab", emptyAllowed: true) { text in
      do throws(DtabError) {
        _ = try Dtab(parsing: text)
        return nil
      } catch {
        return TextFault(error, in: text, rule: .dtabSyntax)
      }
    }
  }

  /// `IP`, `IP:PORT` or `[IPv6]:PORT`.
  static var dnsServer: Codec {
    .text("address") { text in
      SocketAddress(ip: text, port: 53) != nil || SocketAddress(text) != nil
        ? nil : TextFault("\"\(text)\" is not an address", "Write IP, IP:PORT or [IPv6]:PORT.")
    }
  }
}

extension Codec where Value == Configuration.StaticEndpoint {
  /// A line as in the files of `io.l5d.fs`.
  static var endpoint: Codec {
    let line = Codec<String>.text("endpoint `HOST PORT` or `HOST PORT * WEIGHT`") { text in
      if Configuration.StaticEndpoint(line: text) != nil { return nil }
      let instead = SocketAddress(text).map { "Write \"\($0.ip) \($0.port)\"." }
      return TextFault(
        "\"\(text)\" is not an endpoint", instead ?? "Write \"HOST PORT\" or \"HOST PORT * WEIGHT\".")
    }
    return Codec(
      line.shape,
      decode: { node, trail, decoding in
        line.decode(node, trail, &decoding).flatMap(Configuration.StaticEndpoint.init(line:))
      },
      encode: { .string($0.line) })
  }
}

extension Configuration.StaticEndpoint {
  /// `nil` if the line is not `HOST PORT` or `HOST PORT * WEIGHT`.
  public init?(line: String) {
    let words = line.split { $0 == " " || $0 == "\t" }
    guard words.count == 2 || (words.count == 4 && words[2] == "*") else { return nil }
    guard let port = UInt16(words[1]), port > 0, words[1].utf8.allSatisfy(Ascii.isDigit) else { return nil }
    let host = String(words[0])
    // RFC 1123 §2.1 names with the underscore that clusters use, or a literal address.
    let isName = host.utf8.allSatisfy { byte in
      Ascii.isDigit(byte) || (0x61...0x7a).contains(Ascii.lowercased(byte)) || "-._".utf8.contains(byte)
    }
    guard isName || SocketAddress(ip: host, port: port) != nil, host.utf8.count <= 253 else { return nil }
    var weight = 1.0
    if words.count == 4 {
      guard let value = Double(words[3]), value.isFinite, value >= 0 else { return nil }
      weight = value
    }
    self.init(host: host, port: port, weight: weight)
  }

  var line: String { "\(host) \(port)" + (weight == 1 ? "" : " * \(plain(weight))") }
}
