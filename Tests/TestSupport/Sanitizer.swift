import Foundation

/// The sanitizer that this process was built with. Tests that limit time or memory ask here, and nowhere else.
public enum Sanitizer: Sendable {
  case address, thread

  /// `nil` in an ordinary build. A sanitizer's runtime is linked into the process and known by its symbols.
  public static let current: Sanitizer? =
    isLinked("__asan_init") ? .address : isLinked("__tsan_init") ? .thread : nil

  private static func isLinked(_ symbol: String) -> Bool { dlsym(nil, symbol) != nil }

  /// How many times as long things may take as in an ordinary build, see `patience`; 1 there.
  public static let slowness: Int =
    switch current {
    case nil: 1
    case .address: 4
    case .thread: 10
    }

  /// The environment of a program under test. It ends at its first report, so that the test which provoked it fails.
  public static let environment: [String: String] = {
    var environment = ProcessInfo.processInfo.environment
    for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] {
      environment[name] = [environment[name], "halt_on_error=1"].compactMap(\.self).joined(separator: ":")
    }
    return environment
  }()
}

/// A limit on time in this build, of what it is in an ordinary one; any unit.
public func patience<Limit: Numeric>(_ limit: Limit) -> Limit { limit * (Limit(exactly: Sanitizer.slowness) ?? 1) }
