import CMallocCount
import Glibc

/// One figure of a benchmark, printed as a line of JSON.
struct Figure {
  var name: String
  /// Nanoseconds per operation; of repeated runs the fastest, which is the one least disturbed.
  var nanoseconds: Double
  /// Allocations per operation; `nil` where this build cannot count them.
  var mallocs: Double?
  /// The most that is allowed of `nanoseconds`, where there is a bar.
  var nanosecondsMax: Double?
  var mallocsMax: Double?

  var passes: Bool {
    nanoseconds <= nanosecondsMax ?? .infinity && (mallocs ?? 0) <= mallocsMax ?? .infinity
  }

  var json: String {
    var line = "{\"name\":\"\(name)\",\"ns\":\(nanoseconds.rounded(to: 1))"
    if let mallocs { line += ",\"mallocs\":\(mallocs.rounded(to: 4))" }
    if let nanosecondsMax { line += ",\"ns_max\":\(nanosecondsMax.rounded(to: 1))" }
    if let mallocsMax { line += ",\"mallocs_max\":\(mallocsMax.rounded(to: 4))" }
    if nanosecondsMax != nil || mallocsMax != nil { line += ",\"pass\":\(passes)" }
    return line + "}"
  }
}

extension Double {
  func rounded(to digits: Int) -> Double {
    let scale = pow(10, Double(digits))
    return (self * scale).rounded() / scale
  }
}

/// CPU time of the calling thread, in nanoseconds.
@inline(__always)
func threadNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Keeps a result that is otherwise unused from being optimised away.
@inline(never)
@_optimize(none)
func keep<T>(_ value: T) {}

/// Runs `operation` for `count` times per round and measures CPU time and allocations of this thread.
@inline(__always)
func measure(_ name: String, count: Int = 20_000, rounds: Int = 15, _ operation: () -> Void) -> Figure {
  for _ in 0..<min(count, 2_000) { operation() }
  var fastest = Double.infinity
  var mallocs = Double.infinity
  for _ in 0..<rounds {
    let mallocsBefore = malloc_count_here()
    let start = threadNanoseconds()
    for _ in 0..<count { operation() }
    let used = threadNanoseconds() - start
    fastest = min(fastest, Double(used) / Double(count))
    mallocs = min(mallocs, Double(malloc_count_here() - mallocsBefore) / Double(count))
  }
  return Figure(name: name, nanoseconds: fastest, mallocs: malloc_count_works() ? mallocs : nil)
}
