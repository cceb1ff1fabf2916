import MeshBase
import Net

extension ConsulNamer {
  public struct Options: Sendable {
    public enum Consistency: String, Sendable, CaseIterable {
      case `default`
      /// Any server may answer, also one that lags behind.
      case stale
      /// The leader makes sure that it leads before it answers.
      case consistent
    }

    /// Names are `DATACENTER/TAG/SERVICE` rather than `DATACENTER/SERVICE`.
    public var includesTag = false
    /// Instances that count; `nil`: all.
    public var healthStatuses: Set<ConsulHealth>?
    public var token: String?
    public var consistency = Consistency.default
    /// The address of the instance where it has one, rather than that of its node.
    public var prefersServiceAddress = true
    /// Requests name the service as Consul's DNS does: `[TAG.]SERVICE.service.DATACENTER.DOMAIN`.
    public var setsHost = false
    /// By tag; of several the highest counts, without any it is 1.
    public var weights: [String: Double] = [:]
    public var delay = ReconnectDelay()

    public init() {}

    var headers: ControlHeaders {
      var headers = ControlHeaders(["Accept": "application/json"])
      if let token { headers.add("X-Consul-Token", token) }
      return headers
    }

    func query(datacenter: String?) -> [String] {
      var query = datacenter.map { ["dc=" + ControlQuery.encodeComponent($0)] } ?? []
      if consistency != .default { query.append(consistency.rawValue) }
      return query
    }

    /// `nil`: it does not count, or says no address.
    func entry(_ instance: ConsulInstance) -> HostEntry? {
      if let healthStatuses, !healthStatuses.contains(instance.health) { return nil }
      let own = prefersServiceAddress ? instance.serviceAddress : ""
      let host = own.isEmpty ? instance.nodeAddress : own
      guard let port = UInt16(exactly: instance.port), port > 0,
        SocketAddress(ip: host, port: 0) != nil || Resolver.isHostName(host)
      else { return nil }
      return HostEntry(host: host, port: port, weight: instance.tags.compactMap { weights[$0] }.max() ?? 1)
    }
  }
}

extension ControlQuery {
  /// The text as one element of a path, or one value of a query: also `/` as `%2F`.
  static func encodeComponent(_ text: String) -> String { encode(text).replacing("/", with: "%2F") }
}
