import MeshBase

extension Codec where Value == Bool {
  static var boolean: Codec {
    Codec(
      .boolean,
      decode: { node, trail, decoding in
        guard let (expanded, scalar) = decoding.text(node, trail, expected: "true or false") else { return nil }
        if expanded.isSubstituted || (scalar.style == .plain && !scalar.isTaggedText) {
          switch expanded.text {
          case "true", "True", "TRUE": return true
          case "false", "False", "FALSE": return false
          default: break
          }
        }
        decoding.report(
          .error, .wrongType, trail, node.place, "expected true or false, found \(decoding.quoted(scalar))",
          remedy: scalar.style == .plain ? "Write true or false." : "Write true or false, without quotes.")
        return nil
      },
      encode: { .bool($0) })
  }
}

extension Codec where Value == Int {
  static func integer(_ range: ClosedRange<Int>) -> Codec {
    Codec(
      .integer(range),
      decode: { node, trail, decoding in decodeInteger(node, trail, range, &decoding) },
      encode: { .int($0) })
  }

  /// A port to listen on; 0 lets the kernel choose.
  static var listenPort: Codec { .integer(0...65_535) }
  static var port: Codec { .integer(1...65_535) }
  /// A duration that cannot be switched off, up to a day.
  static var milliseconds: Codec { .integer(1...86_400_000) }
  static var seconds: Codec { .integer(1...86_400) }
}

extension Codec where Value == Int? {
  /// An upper bound or time-out which 0 switches off.
  static func limit(max: Int = .max) -> Codec {
    Codec(
      .limit(max: max),
      decode: { node, trail, decoding in
        guard let value = decodeInteger(node, trail, 0...max, &decoding) else { return nil }
        return .some(value == 0 ? nil : value)
      },
      encode: { .int($0 ?? 0) })
  }

  static var milliseconds: Codec { .limit(max: 7 * 86_400_000) }
}

extension Codec where Value == Double {
  static func number(_ range: ClosedRange<Double>) -> Codec {
    Codec(
      .number(range),
      decode: { node, trail, decoding in
        guard let (expanded, scalar) = decoding.text(node, trail, expected: "a number") else { return nil }
        let isPlain = expanded.isSubstituted || (scalar.style == .plain && !scalar.isTaggedText)
        guard isPlain, let value = decimal(expanded.text) else {
          decoding.report(
            .error, .wrongType, trail, node.place, "expected a number, found \(decoding.quoted(scalar))")
          return nil
        }
        guard range.contains(value) else {
          let bounds =
            range.upperBound == .infinity
            ? "at least \(plain(range.lowerBound))" : "\(plain(range.lowerBound)) to \(plain(range.upperBound))"
          decoding.report(
            .error, .outOfRange, trail, node.place, "\(plain(value)) is out of range", remedy: "Allowed: \(bounds).")
          return nil
        }
        return value
      },
      encode: { value in Int(exactly: value).map { .int($0) } ?? .number(value) })
  }

  /// Digits, one point, an exponent; no hexadecimal floats, infinities or NaN.
  private static func decimal(_ text: String) -> Double? {
    guard text.utf8.allSatisfy({ Ascii.isDigit($0) || "+-.eE".utf8.contains($0) }) else { return nil }
    guard let value = Double(text), value.isFinite else { return nil }
    return value
  }
}

private func decodeInteger(
  _ node: YAMLNode, _ trail: KeyTrail, _ range: ClosedRange<Int>, _ decoding: inout Decoding
) -> Int? {
  guard let (expanded, scalar) = decoding.text(node, trail, expected: "an integer") else { return nil }
  let text = expanded.text
  let isPlain = expanded.isSubstituted || (scalar.style == .plain && !scalar.isTaggedText)
  let digits = text.utf8.first == 0x2d || text.utf8.first == 0x2b ? text.utf8.dropFirst() : text.utf8[...]
  guard isPlain, !digits.isEmpty, digits.allSatisfy(Ascii.isDigit) else {
    decoding.report(
      .error, .wrongType, trail, node.place, "expected an integer, found \(decoding.quoted(scalar))",
      remedy: integerRemedy(text, isPlain: isPlain, trail))
    return nil
  }
  guard let value = Int(text), range.contains(value) else {
    let bounds =
      range.upperBound == .max ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
    decoding.report(
      .error, .outOfRange, trail, node.place,
      (expanded.isSubstituted ? decoding.quoted(scalar) : text) + " is out of range", remedy: "Allowed: \(bounds).")
    return nil
  }
  // YAML 1.1 reads 010 as eight, YAML 1.2 as ten.
  if digits.count > 1, digits.first == 0x30 {
    decoding.report(.error, .badValue, trail, node.place, "a leading zero is ambiguous", remedy: "Write \(value).")
    return nil
  }
  return value
}

/// "Write 10000": for `10s` where milliseconds are meant, and for a number in quotes.
private func integerRemedy(_ text: String, isPlain: Bool, _ trail: KeyTrail) -> String? {
  if !isPlain, Int(text) != nil { return "Write it without quotes." }
  let digits = text.prefix { $0.isASCII && $0.isNumber }
  guard let count = Int(digits) else { return nil }
  let unit = text.dropFirst(digits.count).drop { $0 == " " }
  let milliseconds: Int? =
    switch unit {
    case "ms": 1
    case "s": 1_000
    case "m", "min": 60_000
    case "h": 3_600_000
    default: nil
    }
  guard let milliseconds else { return nil }
  let (total, overflow) = count.multipliedReportingOverflow(by: milliseconds)
  if overflow { return nil }
  if trail.shown.hasSuffix("Ms") { return "Write it in milliseconds: \(total)." }
  if trail.shown.hasSuffix("Seconds") || trail.shown.hasSuffix("Secs") {
    return "Write it in seconds: \(total / 1_000)."
  }
  return nil
}

extension Codec where Value == String {
  /// Text with a rule; the rule answers with a message and a remedy when it is broken.
  static func text(
    _ noun: String = "text", emptyAllowed: Bool = false, rule: @escaping @Sendable (String) -> TextFault? = { _ in nil }
  ) -> Codec {
    Codec(
      .text(noun),
      decode: { node, trail, decoding in
        guard let (expanded, scalar) = decoding.text(node, trail, expected: noun) else { return nil }
        if expanded.isSubstituted, !expanded.usesFile { decoding.masked[trail.canonical] = expanded.display }
        if expanded.text.isEmpty && !emptyAllowed {
          decoding.report(
            .error, .emptyValue, trail, node.place, "empty", remedy: "Leave the key out, or give it a value.")
          return nil
        }
        if let fault = rule(expanded.text) {
          let isHidden = expanded.isSubstituted || decoding.isSecret
          let place = isHidden ? node.place : decoding.place(in: node, at: fault.offset)
          let message = isHidden ? "\(decoding.quoted(scalar)) does not fit" : fault.message
          decoding.report(.error, fault.rule, trail, place, message, remedy: fault.remedy)
          return nil
        }
        return expanded.text
      },
      encode: { .string($0) })
  }

  static var file: Codec { .text("file") }
  static var directory: Codec { .text("directory") }

  /// A header field name: RFC 9110 §5.1.
  static var headerName: Codec { .text("header name") { headerFault($0) } }

  /// Why a text is not a header field name; `nil`: it is one.
  static func headerFault(_ name: String) -> TextFault? {
    let isToken =
      !name.isEmpty
      && name.utf8.allSatisfy { byte in
        Ascii.isDigit(byte) || (0x61...0x7a).contains(Ascii.lowercased(byte)) || "!#$%&'*+-.^_`|~".utf8.contains(byte)
      }
    return isToken
      ? nil
      : TextFault("\"\(name)\" is not a header name", "Letters, digits and - . _ are the usual characters of one.")
  }

  /// A literal IPv4 or IPv6 address.
  static var ipAddress: Codec {
    .text("IP address") { text in
      if SocketAddress(ip: text, port: 0) != nil { return nil }
      let remedy =
        text == "localhost"
        ? "Write 127.0.0.1 or ::1."
        : text.hasPrefix("[")
          ? "Write it without brackets."
          : "Write an address such as 127.0.0.1, 0.0.0.0 or ::1; names are not looked up."
      return TextFault("\"\(text)\" is not an IP address", remedy)
    }
  }

  static var regularExpression: Codec {
    .text("regular expression") { text in
      do {
        _ = try Regex(text)
        return nil
      } catch {
        return TextFault("\"\(text)\" is not a regular expression")
      }
    }
  }

  /// Text of which linkerd knows values that are not supported: each is refused with its reason.
  static func choice(_ words: [String], unsupported: [String: String] = [:]) -> Codec {
    Codec(
      .choice(words),
      decode: { node, trail, decoding in
        guard let (expanded, scalar) = decoding.text(node, trail, expected: "a word") else { return nil }
        if words.contains(expanded.text) { return expanded.text }
        if let reason = unsupported[expanded.text] {
          decoding.report(
            .error, .unsupported, trail, node.place, "\(decoding.quoted(scalar)) is not supported by this version",
            remedy: reason)
          return nil
        }
        decoding.report(
          .error, .badValue, trail, node.place,
          "\(decoding.quoted(scalar)) is not one of " + words.map { "\"\($0)\"" }.joined(separator: ", "),
          remedy: expanded.isSubstituted ? nil : didYouMean(expanded.text, among: words))
        return nil
      },
      encode: { .string($0) })
  }
}

extension Codec where Value: RawRepresentable<String> & CaseIterable {
  static func choice(unsupported: [String: String] = [:]) -> Codec {
    let words = Codec<String>.choice(Value.allCases.map(\.rawValue), unsupported: unsupported)
    return Codec(
      words.shape,
      decode: { node, trail, decoding in words.decode(node, trail, &decoding).flatMap(Value.init(rawValue:)) },
      encode: { .string($0.rawValue) })
  }
}
