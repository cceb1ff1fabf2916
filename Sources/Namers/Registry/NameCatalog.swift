import MeshBase
import Net

/// Names that a server knows, for "did you mean": asked for when a name was not found, and not often.
@ControlActor
final class NameCatalog {
  private struct Entry {
    var names: [String] = []
    var asked: MonotonicInstant
  }

  private static let ageMaxNanoseconds: UInt64 = 30_000_000_000
  /// Lists that are kept at a time.
  private static let listsMax = 64

  private let client: ClusterClient
  private let parse: ([UInt8]) throws -> [String]
  private var entries: [String: Entry] = [:]

  /// - Parameter parse: the names in an answer.
  init(client: ClusterClient, parse: @escaping ([UInt8]) throws -> [String]) {
    self.client = client
    self.parse = parse
  }

  /// Those close to `name` that the last answer to this list had.
  func near(_ name: String, in list: String, limit: Int) -> [String] {
    nearNames(to: name, among: entries[list]?.names ?? [], limit: limit)
  }

  func refresh(_ list: String, _ request: ClusterRequest) {
    let now = Clock.now
    if let entry = entries[list], now.nanoseconds(since: entry.asked) < Self.ageMaxNanoseconds { return }
    if entries.count >= Self.listsMax { entries = [:] }
    entries[list, default: Entry(asked: now)].asked = now
    Task { @ControlActor [weak self, client] in
      guard let response = try? await client.request(request), response.status == 200 else { return }
      guard let self, let names = try? parse(response.body) else { return }
      entries[list]?.names = names
    }
  }
}
