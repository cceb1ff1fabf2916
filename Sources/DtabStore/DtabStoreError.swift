import Dtab
import MeshBase
import Net

/// Why a store did not do what it was asked; after any of these, what was in force is in force still.
public enum DtabStoreError: Error, Sendable {
  case badName(String)
  /// `create` of a namespace that is there.
  case exists(namespace: String, version: UInt64)
  /// Somebody else was faster: the expected version is not the current one.
  case stale(namespace: String, expected: UInt64, current: UInt64)
  /// `near` are names that were perhaps meant.
  case unknown(namespace: String, near: [String])
  /// Never given out, no longer kept, or a deletion; `kept` are the versions one can roll back to.
  case unknownVersion(namespace: String, version: UInt64, kept: [UInt64])
  /// The text is the one that was parsed.
  case malformed(DtabError, text: String)
  case tooLarge(bytes: Int, max: Int)
  case tooManyNamespaces(max: Int)
  /// The disk's answer: nothing was changed.
  case storage(SystemError)
  /// Another process works on the directory.
  case inUse(directory: String, processID: Int32?)
  /// Between `close` and `reopen`.
  case closed
}

extension DtabStoreError: CustomStringConvertible {
  /// What is wrong and what to do about it.
  public var description: String {
    switch self {
    case .badName(let name):
      "\"\(name.prefix(80))\" is no namespace: use 1 to \(DtabNamespace.bytesMax) letters, digits, `-` or `_`"
    case .exists(let namespace, let version):
      "namespace \(namespace) exists already (version \(version)): change it with PUT instead of POST"
    case .stale(let namespace, let expected, let current):
      "namespace \(namespace) is at version \(current), not \(expected): somebody else changed it; "
        + "read it again, redo the change on that and send it with the new version"
    case .unknown(let namespace, let near):
      "there is no namespace \(namespace)"
        + (near.isEmpty
          ? "; GET /api/1/dtabs lists those there are" : "; did you mean \(near.joined(separator: ", "))?")
    case .unknownVersion(let namespace, let version, let kept):
      "namespace \(namespace) has no version \(version) to roll back to; "
        + (kept.isEmpty ? "none are kept" : "kept are \(Self.ranges(kept))")
    case .malformed(let error, let text): "\(error)\n\(error.caret(in: text))"
    case .tooLarge(let bytes, let max): "a dtab may have at most \(max) bytes, this one has \(bytes)"
    case .tooManyNamespaces(let max): "there are \(max) namespaces already, which is the limit: delete one first"
    case .storage(let error): "the change could not be stored, nothing was changed: \(error)"
    case .inUse(let directory, let processID):
      "\(directory) is in use by another process" + (processID.map { " (pid \($0))" } ?? "")
        + ": give each process a directory of its own"
    case .closed:
      "the store is closed, because the router is shutting down or another process takes its place: nothing was changed; "
        + "send it again in a moment"
    }
  }

  /// "3-7, 9" for ascending numbers.
  private static func ranges(_ numbers: [UInt64]) -> String {
    var ranges: [ClosedRange<UInt64>] = []
    for number in numbers {
      if let last = ranges.last, last.upperBound + 1 == number {
        ranges[ranges.count - 1] = last.lowerBound...number
      } else {
        ranges.append(number...number)
      }
    }
    return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: ", ")
  }
}
