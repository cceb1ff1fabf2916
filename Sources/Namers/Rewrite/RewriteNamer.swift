import Dtab
import MeshBase
import Net

/// `io.l5d.rewrite`: a path that fits the pattern stands for another name, which is bound in turn.
@ControlActor
public final class RewriteNamer: Namer {
  public let prefix: Path
  public let kind = "io.l5d.rewrite"
  private let pattern: RewritePattern

  public init(prefix: Path = "/#/io.l5d.rewrite", pattern: RewritePattern) {
    self.prefix = prefix
    self.pattern = pattern
  }

  public func lookup(_ rest: Path) -> NameLookup { NameLookup(.tree(pattern.rewrite(rest).map { .path($0) })) }

  public func nearNames(to rest: Path, limit: Int) -> [Path] { [] }

  public var failingSince: MonotonicInstant? { nil }
  public var lastError: String? { nil }

  public func state() -> NamerState {
    NamerState(
      kind: kind, prefix: prefix,
      facts: [("pattern", pattern.pattern.source), ("name", pattern.name.source)])
  }
}
