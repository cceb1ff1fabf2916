import Dtab
import MeshBase
import Net

/// One port of one service in use: follows what it depends on and feeds the endpoints.
@ControlActor
final class KubernetesName {
  struct Key: Hashable {
    var namespace: String
    var port: KubernetesPlaces.Port
    var service: String
    /// What the service's label must be, where the namer has a label selector.
    var label: String?
  }

  private let key: Key
  private let isExternal: Bool
  private let endpoints: HostEndpoints
  private weak var source: EndpointSource?
  /// Called when the service turns out to have nobody who can serve.
  private let onAbsence: @ControlActor () -> Void
  private var slices: KubernetesWatch<EndpointSlice>?
  private var services: KubernetesWatch<KubernetesService>?
  private lazy var update = EndOfTurn { [weak self] in self?.publish() }

  init(
    _ key: Key, options: KubernetesNamer.Options, client: ClusterClient, resolver: Resolver, _ source: EndpointSource,
    onAbsence: @escaping @ControlActor () -> Void = {}
  ) {
    self.key = key
    self.onAbsence = onAbsence
    self.source = source
    isExternal = options.scope == .external
    endpoints = HostEndpoints(source, resolver: resolver, emptyIsNeg: true)
    let namespace = ControlQuery.encodeComponent(key.namespace)
    var labels: [String] = []
    if let name = options.labelSelector, let value = key.label { labels.append("\(name)=\(value)") }
    if !isExternal {
      slices = KubernetesWatch(
        "/apis/discovery.k8s.io/v1/namespaces/\(namespace)/endpointslices",
        selector: "labelSelector="
          + ControlQuery.encodeComponent(
            (["kubernetes.io/service-name=\(key.service)"] + labels).joined(separator: ",")),
        client: client, options: options.watch
      ) { [weak self] in self?.update.request() }
    }
    // The slices call ports by name; only the service knows its own numbers.
    if isExternal || key.port.isNumber {
      var selector = "fieldSelector=" + ControlQuery.encodeComponent("metadata.name=\(key.service)")
      if !labels.isEmpty { selector += "&labelSelector=" + ControlQuery.encodeComponent(labels[0]) }
      services = KubernetesWatch(
        "/api/v1/namespaces/\(namespace)/services", selector: selector, client: client, options: options.watch
      ) { [weak self] in self?.update.request() }
    }
  }

  private func publish() {
    let failure = slices?.failure ?? services?.failure
    if let slices, slices.objects == nil { return fail(failure) }
    if let services, services.objects == nil { return fail(failure) }
    let service = services?.objects?[key.service]
    let entries =
      isExternal
      ? KubernetesPlaces.external(service, port: key.port)
      : KubernetesPlaces.entries(slices?.objects.map { Array($0.values) } ?? [], port: key.port, service: service)
    endpoints.sourceFailure = failure
    endpoints.entries = entries
    if entries.isEmpty { onAbsence() }
  }

  private func fail(_ failure: String?) { if let failure { source?.fail(failure) } }
}

extension KubernetesPlaces.Port {
  var isNumber: Bool { if case .number = self { true } else { false } }
}
