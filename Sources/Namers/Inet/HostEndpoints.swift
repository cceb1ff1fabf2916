import MeshBase
import Net

/// A host, literal or by name, with a port and a weight, as a file or a configuration states it.
public struct HostEntry: Hashable, Sendable {
  /// An address (with or without brackets) or a host name.
  public var host: String
  public var port: UInt16
  /// Finite and not negative.
  public var weight: Double
  /// Where it was read, for messages; 0 if it has no line.
  public var line: Int
  /// Facts that its endpoints get.
  public var metadata: [String: String]

  public init(host: String, port: UInt16, weight: Double = 1, line: Int = 0, metadata: [String: String] = [:]) {
    self.host = host
    self.port = port
    self.weight = weight
    self.line = line
    self.metadata = metadata
  }
}

/// Turns entries into the endpoints of a source and follows what DNS says of their names.
///
/// Until each name has an answer for the first time nothing is published; later a name that cannot be resolved leaves the
/// endpoints of the others alone. An address that occurs twice counts once, with the weight given last.
@ControlActor
final class HostEndpoints {
  private weak var source: EndpointSource?
  private let resolver: Resolver
  /// The first answer stays.
  private let isFixed: Bool
  /// No entries: there is no such name, rather than a name without endpoints.
  private let emptyIsNeg: Bool
  private var names: [String: (name: DnsName, token: ObservationToken)] = [:]
  private var wasFixed = false
  /// What was wrong with the place the entries come from; the entries are then the last good ones.
  var sourceFailure: String?

  var entries: [HostEntry] = [] {
    didSet {
      let kept = names
      names = [:]
      for entry in entries where Resolver.literal(entry.host) == nil && names[entry.host] == nil {
        names[entry.host] = kept[entry.host] ?? watch(entry.host)
      }
      publish()
    }
  }

  init(_ source: EndpointSource, resolver: Resolver, isFixed: Bool = false, emptyIsNeg: Bool = false) {
    self.source = source
    self.resolver = resolver
    self.isFixed = isFixed
    self.emptyIsNeg = emptyIsNeg
  }

  private func watch(_ host: String) -> (DnsName, ObservationToken) {
    let name = resolver.name(host)
    return (name, name.observe { [weak self] in self?.publish() })
  }

  func publish() {
    guard let source, !wasFixed else { return }
    var endpoints: [Endpoint] = []
    var places: [SocketAddress: Int] = [:]
    var isPending = false
    var absences: [String] = []
    var failures: [String] = []
    func add(_ entry: HostEntry, _ address: SocketAddress, _ metadata: [String: String]) {
      let endpoint = Endpoint(address.withPort(entry.port), weight: entry.weight, metadata: metadata)
      if let place = places[endpoint.address] {
        endpoints[place] = endpoint
      } else {
        places[endpoint.address] = endpoints.count
        endpoints.append(endpoint)
      }
    }
    for entry in entries {
      if let address = Resolver.literal(entry.host) {
        add(entry, address, entry.metadata)
        continue
      }
      let place = entry.line > 0 ? "line \(entry.line): " : ""
      guard let name = names[entry.host]?.name else { continue }
      switch name.answer {
      case .pending: isPending = true
      case .addresses(let addresses):
        let metadata = entry.metadata.merging(["host": entry.host]) { $1 }
        for address in addresses { add(entry, address, metadata) }
        if let failure = name.failure { failures.append("\(place)\(entry.host): \(failure)") }
      case .none(let text): absences.append("\(place)\(entry.host): \(text)")
      case .failed(let text): failures.append("\(place)\(entry.host): \(text)")
      }
    }
    if isPending {
      if case .pending = source.current { return }
      if endpoints.isEmpty { return }
    }
    let problems = (sourceFailure.map { [$0] } ?? []) + failures + absences
    let text = problems.isEmpty ? nil : problems.prefix(3).joined(separator: "; ")
    if endpoints.isEmpty, !failures.isEmpty, let text { return source.fail(text) }
    let set: EndpointSet = endpoints.isEmpty && (emptyIsNeg || !absences.isEmpty) ? .neg : .bound(endpoints)
    source.publish(set, partialFailure: text)
    if isFixed && !endpoints.isEmpty && !isPending {
      wasFixed = true
      names = [:]
    }
  }
}
