import MeshBase

/// The rules by which objects of the Kubernetes API become endpoints.
enum KubernetesPlaces {
  /// What a name says of a port.
  enum Port: Hashable {
    /// As a service calls it.
    case name(String)
    /// Of the service, not of its endpoints; of the endpoints where the service has no such port.
    case number(Int)

    init(_ text: String) {
      if let number = Int(text), (1...65_535).contains(number) { self = .number(number) } else { self = .name(text) }
    }
  }

  /// The endpoints behind one port of a service. Empty: there are none that could serve.
  ///
  /// Those that are ready get requests. Those that are going but still serve are kept without new requests, and get them
  /// when none is ready (KEP-1669). Where there are addresses of both families the same pods stand behind both, so only
  /// IPv4 is used.
  static func entries(_ slices: [EndpointSlice], port: Port, service: KubernetesService?) -> [HostEntry] {
    if let name = service?.externalName {
      guard let number = number(of: port, service) else { return [] }
      return [HostEntry(host: withoutDot(name), port: number)]
    }
    var ready: [EndpointSlice.Family: [HostEntry]] = [:]
    var going: [EndpointSlice.Family: [HostEntry]] = [:]
    for slice in slices {
      guard let number = number(of: port, in: slice, service) else { continue }
      for place in slice.places {
        let entry = HostEntry(host: withoutDot(place.address), port: number)
        if place.isReady && !place.isTerminating {
          ready[slice.family, default: []].append(entry)
        } else if place.isServing {
          going[slice.family, default: []].append(entry)
        }
      }
    }
    let order: [EndpointSlice.Family] = [.ipv4, .ipv6, .name]
    guard let family = order.first(where: { ready[$0] != nil }) else {
      return order.lazy.compactMap { going[$0] }.first.map(unique) ?? []
    }
    let live = Set((ready[family] ?? []).map(Place.init))
    let leaving = (going[family] ?? []).filter { !live.contains(Place($0)) }.map {
      HostEntry(host: $0.host, port: $0.port, weight: 0)
    }
    return unique((ready[family] ?? []) + leaving)
  }

  /// The load balancer of a service, as seen from outside of the cluster.
  static func external(_ service: KubernetesService?, port: Port) -> [HostEntry] {
    guard let service, let number = number(of: port, service) else { return [] }
    return unique(service.ingress.map { HostEntry(host: withoutDot($0), port: number) })
  }

  private struct Place: Hashable {
    let host: String
    let port: UInt16
    init(_ entry: HostEntry) { (host, port) = (entry.host, entry.port) }
  }

  /// Slices may overlap for a moment while endpoints move between them.
  private static func unique(_ entries: [HostEntry]) -> [HostEntry] {
    var seen: Set<Place> = []
    return entries.filter { seen.insert(Place($0)).inserted }.sorted { ($0.host, $0.port) < ($1.host, $1.port) }
  }

  private static func number(of port: Port, _ service: KubernetesService?) -> UInt16? {
    switch port {
    case .number(let number): UInt16(number)
    case .name(let name):
      service?.ports.first { $0.name == name }?.number.flatMap { UInt16(exactly: $0) }
    }
  }

  private static func number(
    of port: Port, in slice: EndpointSlice, _ service: KubernetesService?
  ) -> UInt16? {
    let found: KubernetesPort?
    switch port {
    case .name(let name): found = slice.ports.first { $0.name == name }
    case .number(let number):
      if let own = service?.ports.first(where: { $0.number == number }) {
        found = slice.ports.first { $0.name == own.name }
      } else {
        found = slice.ports.first { $0.number == number }
      }
    }
    return found?.number.flatMap { UInt16(exactly: $0) }.flatMap { $0 > 0 ? $0 : nil }
  }

  private static func withoutDot(_ name: String) -> String { name.hasSuffix(".") ? String(name.dropLast()) : name }
}
