import Dtab

/// What is in force in a namespace: one version of its dtab, and where it came from.
public struct VersionedDtab: Sendable, Equatable {
  public let namespace: String
  /// Counts up from 1 with each change of the namespace, deletion included; never used twice, restarts included.
  public let version: UInt64
  /// As it was entered, comments and line breaks included.
  public let text: String
  /// The text, parsed.
  public let dtab: Dtab
  public let authorship: Authorship
  /// When it was accepted, in nanoseconds since the Unix epoch.
  public let wallNanoseconds: UInt64

  public init(
    namespace: String, version: UInt64, text: String, dtab: Dtab, authorship: Authorship, wallNanoseconds: UInt64
  ) {
    self.namespace = namespace
    self.version = version
    self.text = text
    self.dtab = dtab
    self.authorship = authorship
    self.wallNanoseconds = wallNanoseconds
  }
}

/// Who made a change, and why; for people, neither is checked.
public struct Authorship: Sendable, Equatable {
  public static let authorBytesMax = 256
  public static let reasonBytesMax = 1_024

  /// Without control characters, cut at `authorBytesMax`.
  public let author: String
  /// Without control characters, cut at `reasonBytesMax`.
  public let reason: String

  public init(author: String = "", reason: String = "") {
    self.author = Self.line(author, max: Self.authorBytesMax)
    self.reason = Self.line(reason, max: Self.reasonBytesMax)
  }

  /// One line: a line break or another control character becomes a blank.
  private static func line(_ text: String, max: Int) -> String {
    var line = String.UnicodeScalarView()
    var bytes = 0
    for scalar in text.unicodeScalars {
      let scalar = scalar.value < 0x20 || scalar.value == 0x7f ? " " : scalar
      bytes += UTF8.width(scalar)
      if bytes > max { break }
      line.append(scalar)
    }
    return String(line)
  }
}

/// One step in the history of a namespace.
public struct DtabChange: Sendable, Equatable {
  public enum Kind: String, Sendable {
    case created, changed, deleted
    /// An earlier version's text again; `source` is that version.
    case rolledBack = "rolled_back"
    /// The file was edited by other means than the store.
    case external
  }

  public let version: UInt64
  public let kind: Kind
  public let source: UInt64?
  /// Empty for a deletion.
  public let text: String
  public let authorship: Authorship
  public let wallNanoseconds: UInt64

  public init(
    version: UInt64, kind: Kind, source: UInt64? = nil, text: String, authorship: Authorship, wallNanoseconds: UInt64
  ) {
    self.version = version
    self.kind = kind
    self.source = source
    self.text = text
    self.authorship = authorship
    self.wallNanoseconds = wallNanoseconds
  }
}
