/// What of `/admin/metrics.json` is wanted.
public struct JsonOptions: Sendable {
  /// Nested objects instead of flat keys.
  public var tree: Bool
  /// Only what is under this path, with keys relative to it: `rt/http/service/svc/web`.
  public var q: String?
  public var pretty: Bool

  public init(tree: Bool = false, q: String? = nil, pretty: Bool = false) {
    self.tree = tree
    self.q = q
    self.pretty = pretty
  }
}
