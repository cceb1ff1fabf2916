import MeshBase
import Net

/// Names of the services of a datacenter, for "did you mean": fetched when a name was not found, and not often.
@ControlActor
final class ConsulCatalog {
  private struct Entry {
    var names: [String] = []
    var asked: MonotonicInstant
  }

  private static let ageMaxNanoseconds: UInt64 = 30_000_000_000
  private static let datacentersMax = 64

  private let client: ClusterClient
  private let options: ConsulNamer.Options
  private var entries: [String: Entry] = [:]

  init(client: ClusterClient, options: ConsulNamer.Options) {
    self.client = client
    self.options = options
  }

  func names(_ datacenter: String?) -> [String] { entries[datacenter ?? ""]?.names ?? [] }

  func refresh(_ datacenter: String?) {
    let now = Clock.now
    if let entry = entries[datacenter ?? ""], now.nanoseconds(since: entry.asked) < Self.ageMaxNanoseconds { return }
    if entries.count >= Self.datacentersMax { entries = [:] }
    entries[datacenter ?? "", default: Entry(asked: now)].asked = now
    let query = options.query(datacenter: datacenter)
    let request = ClusterRequest(
      "/v1/catalog/services" + (query.isEmpty ? "" : "?" + query.joined(separator: "&")), headers: options.headers)
    Task { @ControlActor [weak self, client] in
      guard let response = try? await client.request(request), response.status == 200,
        let names = try? Self.names(response.body)
      else { return }
      self?.entries[datacenter ?? ""]?.names = names
    }
  }

  /// An object with a member for each service.
  private static func names(_ json: [UInt8]) throws(JSONError) -> [String] {
    var reader = JSONReader(json.span)
    var names: [String] = []
    guard try reader.beginObject() else { return [] }
    while try reader.nextKey() { names.append(reader.key) }
    return names
  }
}
