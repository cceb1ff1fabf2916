import MeshBase
import Net

/// What the agent that is asked says of itself: asked for once, when the first name needs it.
@ControlActor
final class ConsulAgent {
  struct Facts: Equatable, Sendable {
    /// The agent's own.
    var datacenter = ""
    /// Of the names that Consul's DNS serves, without dots around it.
    var domain = "consul"
  }

  private let client: ClusterClient
  private let request: ClusterRequest
  private var known: Facts?
  private var flight: Task<Result<Facts, ClusterError>, Never>?

  init(client: ClusterClient, headers: ControlHeaders) {
    self.client = client
    request = ClusterRequest("/v1/agent/self", headers: headers)
  }

  func facts() async throws(ClusterError) -> Facts {
    if let known { return known }
    let flight =
      flight
      ?? Task { @ControlActor [weak self, client, request] in
        let result = await Self.ask(client, request)
        if case .success(let facts) = result { self?.known = facts }
        self?.flight = nil
        return result
      }
    self.flight = flight
    return try await flight.value.get()
  }

  private static func ask(_ client: ClusterClient, _ request: ClusterRequest) async -> Result<Facts, ClusterError> {
    do throws(ClusterError) {
      let response = try await client.request(request).requireSuccess(request)
      do throws(JSONError) {
        return .success(try Facts(json: response.body))
      } catch {
        throw ClusterError(.malformed, "GET \(response.host)\(request.path): \(error)")
      }
    } catch {
      return .failure(error)
    }
  }
}

extension ConsulAgent.Facts {
  /// The answer of `/v1/agent/self`. Agents before 1.0 say the domain under `Config`, later ones under `DebugConfig`.
  init(json: [UInt8]) throws(JSONError) {
    var domain: String?
    var reader = JSONReader(json.span)
    if try reader.beginObject() {
      while try reader.nextKey() {
        guard reader.isKey("Config") || reader.isKey("DebugConfig"), try reader.beginObject() else { continue }
        while try reader.nextKey() {
          if reader.isKey("Datacenter") {
            if let text = try reader.string(), !text.isEmpty { datacenter = text }
          } else if reader.isKey("Domain") || reader.isKey("DNSDomain") {
            domain = try reader.string() ?? domain
          }
        }
      }
    }
    try reader.end()
    let trimmed = domain.map { String($0.drop { $0 == "." }.reversed().drop { $0 == "." }.reversed()) } ?? ""
    if !trimmed.isEmpty { self.domain = trimmed }
  }

  /// The host that Consul's DNS has the service under; `nil` where its name does not fit into a host.
  func authority(of key: ConsulService.Key) -> String? {
    let parts = [key.tag, key.name, "service", key.datacenter ?? datacenter, domain]
    let text = parts.compactMap { $0 }.joined(separator: ".")
    return Resolver.isHostName(text) ? text : nil
  }
}
