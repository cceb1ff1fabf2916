/// How many Prometheus series services and clients may make, over all routers. Confined to the control thread.
///
/// Callers choose the names of services, so services may use half of the budget and no more: however many hostile
/// names come, clients, which the cluster names, still have room.
final class SeriesBudget {
  /// What a scope is charged: the series it shows when a handful of reasons have occurred.
  static let perService = 32
  static let perClient = 48

  let seriesMax: Int
  private(set) var services = 0
  private(set) var clients = 0
  /// Refusals. A name that comes again counts again: none is remembered.
  private(set) var overflows: UInt64 = 0

  init(seriesMax: Int) { self.seriesMax = seriesMax }

  private var used: Int { services * Self.perService + clients * Self.perClient }

  /// Whether there is room for one more service of that name; it is then charged.
  func takeService(_ name: String) -> Bool {
    let isRoom =
      (services + 1) * Self.perService <= seriesMax / 2 && used + Self.perService <= seriesMax && isShort(name)
    if isRoom { services += 1 } else { overflows += 1 }
    return isRoom
  }

  func takeClient(_ id: String) -> Bool {
    let isRoom = used + Self.perClient <= seriesMax && isShort(id)
    if isRoom { clients += 1 } else { overflows += 1 }
    return isRoom
  }

  func giveBack(services: Int, clients: Int) {
    precondition(services <= self.services && clients <= self.clients, "gave back more scopes than were taken")
    self.services -= services
    self.clients -= clients
  }

  private func isShort(_ name: String) -> Bool { name.utf8.count <= MetricsRegistry.nameBytesMax }
}
