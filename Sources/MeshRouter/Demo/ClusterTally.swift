/// What the demo's requests were answered by, version by version of the app that they ask for.
///
/// Marathon's versions are points in time; people count them, so they are v1, v2 and so on in the order of their deploys.
struct ClusterTally {
  private var versions: [String] = []
  private var answers: [String: Int] = [:]
  private(set) var answered = 0
  private(set) var failed = 0
  private var firstFailure: String?

  /// Older ones than that are told in one sum: the demo may run for a day.
  private static let versionsShown = 3

  /// How many versions have been deployed.
  var deployed: Int { versions.count }

  /// A version that is deployed now.
  mutating func note(_ version: String) { if !versions.contains(version) { versions.append(version) } }

  mutating func answer(from version: String) {
    answered += 1
    answers[version, default: 0] += 1
  }

  mutating func failure(_ text: String) {
    failed += 1
    if firstFailure == nil { firstFailure = text }
  }

  /// How many tasks of each version run, such as `v1 4, v2 2`.
  func running(_ tasks: [String]) -> String {
    let parts = versions.enumerated().compactMap { index, version -> String? in
      let count = tasks.count { $0 == version }
      return count > 0 ? "v\(index + 1) \(count)" : nil
    }
    return parts.isEmpty ? "none" : parts.joined(separator: ", ")
  }

  /// Answers of the last versions and failures, such as `answered: v1 120, v2 31   failed: 0`.
  var requests: String {
    var parts: [String] = []
    let hidden = max(0, versions.count - Self.versionsShown)
    if hidden > 0 {
      let sum = versions[..<hidden].reduce(0) { $0 + (answers[$1] ?? 0) }
      parts.append(hidden == 1 ? "v1 \(sum)" : "v1-v\(hidden) \(sum)")
    }
    for index in hidden..<versions.count {
      if let count = answers[versions[index]] { parts.append("v\(index + 1) \(count)") }
    }
    return "answered: \(parts.isEmpty ? "none" : parts.joined(separator: ", "))   failed: \(failures)"
  }

  private var failures: String { "\(failed)" + (firstFailure.map { ", first: \($0)" } ?? "") }

  /// The last line, when everything ends.
  var summary: String { "\(answered) requests answered over \(versions.count) versions, failed: \(failures)" }
}
