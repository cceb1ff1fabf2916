import MeshBase
import Namers
import Net
import Telemetry

/// Feeds what the control thread knows into the metrics: process, build, namers, dtabs.
@ControlActor
final class ProcessMetrics {
  private let metrics: MetricsRegistry
  private let namers: NamerRegistry
  /// Prefixes of namers with an age: a built-in namer that nobody uses has none.
  private var shown: Set<String> = []

  init(_ metrics: MetricsRegistry, namers: NamerRegistry) {
    self.metrics = metrics
    self.namers = namers
    metrics.control(.buildInfo, ProductVersion.number, ProductVersion.openSSL, ProductVersion.nghttp2).value = 1
    metrics.control(.processStart).value = Double(Clock.wallNanoseconds) / 1e9
    metrics.control(.processCpu) { Host.usage.cpuSeconds }
    metrics.control(.processResident) { Host.usage.residentBytes }
    metrics.control(.processVirtual) { Host.usage.virtualBytes }
    metrics.control(.processOpenFds) { Double(Host.openDescriptors) }
    metrics.control(.processMaxFds) { Double(Host.descriptorsMax) }
    refresh()
  }

  /// Call every few seconds.
  func refresh() {
    let now = Clock.now
    var gone = shown
    for namer in namers.inUse {
      // The age of what is stalest: a namer whose names are all fresh is fresh.
      let age = namer.failingSince.map { now.nanoseconds(since: $0) } ?? 0
      let prefix = namer.prefix.description
      metrics.control(.namerAge, prefix).value = Double(age) / 1e9
      gone.remove(prefix)
      shown.insert(prefix)
    }
    for prefix in gone {
      metrics.removeControl(.namerAge, prefix)
      shown.remove(prefix)
    }
  }

  /// The configuration has come into force.
  func configurationLoaded() {
    metrics.control(.configReloadSuccessful).value = 1
    metrics.control(.configReloadTime).value = Double(Clock.wallNanoseconds) / 1e9
  }

  /// The changed one cannot be used; the one before stays in force.
  func reloadRefused() { metrics.control(.configReloadSuccessful).value = 0 }

  /// A namespace's dtab is in force in a new version.
  func dtabApplied(_ namespace: String, version: UInt64) {
    metrics.control(.dtabRevision, namespace).value = Double(version)
    metrics.control(.dtabApply, namespace, "applied").value += 1
  }
}
