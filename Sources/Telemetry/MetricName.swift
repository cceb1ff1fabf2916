/// One metric family as Prometheus sees it. `MetricName.all` is the contract: docs/metrics.md is made from it, and a
/// test holds names and labels fast, because dashboards and alerts break when one is renamed.
public struct MetricName: Sendable, Hashable {
  public enum Kind: String, Sendable { case counter, gauge, histogram, summary }
  public enum Unit: String, Sendable { case none, seconds, bytes, ratio, timestamp }

  public let name: String
  public let kind: Kind
  public let unit: Unit
  public let help: String
  public let labels: [String]

  init(_ name: String, _ kind: Kind, _ unit: Unit, _ labels: [String], _ help: String) {
    self.name = name
    self.kind = kind
    self.unit = unit
    self.labels = labels
    self.help = help
  }

  init(_ name: String, _ kind: Kind, _ labels: [String], _ help: String) { self.init(name, kind, .none, labels, help) }
}
