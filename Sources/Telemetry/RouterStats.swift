/// What one worker counts for one router besides requests: its bind caches.
public final class RouterStats: StatsBlock, @unchecked Sendable {
  public init() {
    super.init(wordCount: BindCache.allCases.count * BindCacheEvent.allCases.count, histograms: Self.histograms)
  }

  @inlinable static func word(_ cache: BindCache, _ event: BindCacheEvent) -> Int {
    cache.rawValue * 6 + event.rawValue
  }

  @inlinable public func bindCache(_ cache: BindCache, _ event: BindCacheEvent) { add(Self.word(cache, event)) }

  /// `idle` is a gauge: entries that no request uses at the moment.
  @inlinable public func setBindCacheIdle(_ cache: BindCache, _ entries: Int) {
    store(Self.word(cache, .idle), UInt64(truncatingIfNeeded: entries))
  }
}

public enum BindCache: Int, CaseIterable, Sendable {
  case path = 0
  case tree = 1
  case bound = 2
  case client = 3
}

public enum BindCacheEvent: Int, CaseIterable, Sendable {
  case misses = 0
  case evicts = 1
  case expires = 2
  /// A bind whose result was not kept, because the cache was full of busy entries.
  case oneshots = 3
  /// A gauge, set by `setBindCacheIdle`.
  case idle = 4
  case hits = 5
}
