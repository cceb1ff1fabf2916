import MeshBase
import Namers
import Net
import Telemetry

/// Feeds what the control thread knows into the metrics: process, build, namers, dtabs.
@ControlActor
final class ProcessMetrics {
  private let metrics: MetricsRegistry
  private let namers: NamerRegistry

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
    for namer in namers.states() {
      // The age of what is stalest: a namer whose names are all fresh is fresh.
      let age = namer.names.compactMap(\.failingMilliseconds).max() ?? 0
      metrics.control(.namerAge, namer.prefix).value = Double(age) / 1_000
    }
  }

  /// A namespace's dtab is in force in a new version.
  func dtabApplied(_ namespace: String, version: UInt64) {
    metrics.control(.dtabRevision, namespace).value = Double(version)
    metrics.control(.dtabApply, namespace, "applied").value += 1
  }
}
