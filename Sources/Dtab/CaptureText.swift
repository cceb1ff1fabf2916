/// Text with `{captures}` to be filled in, such as `{service}.mesh` for the name on a certificate.
public struct CaptureText: Hashable, Sendable {
  /// `literals` has one entry more than `names`: what stands before, between and behind the captures.
  private let literals: [[UInt8]]
  public let names: [String]
  public let source: String

  /// Every capture must be one of `names`; text is as in one element of a path.
  public init(parsing text: some StringProtocol, names known: [String]) throws(DtabError) {
    source = String(text)
    let elements = try CapturePattern.elements(of: "/" + source, wildcards: false, known: known)
    guard elements.count == 1, case .text(let literals, let names) = elements[0] else {
      throw DtabError(.unexpected(byte: 0x2f), at: 0, in: Array(source.utf8), "expected one word without `/`")
    }
    self.literals = literals
    self.names = names
  }

  /// `nil` if a capture is missing or nothing is left.
  public func text(with captures: CapturePattern.Captures) -> String? {
    var bytes = literals[0]
    for (index, name) in names.enumerated() {
      guard let value = captures[name] else { return nil }
      bytes += value + literals[index + 1]
    }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }
}

extension CaptureText: CustomStringConvertible {
  public var description: String { source }
}
