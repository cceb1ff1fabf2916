/// CPU time that the machine was owed and that its host gave to others (`steal` of /proc/stat), since some instant.
/// On a machine of its own it is none.
struct StolenTime {
  private let start = Self.read()

  /// Of all CPU time since the start, 0 to 1.
  var share: Double {
    let end = Self.read()
    return end.all > start.all ? Double(end.stolen - start.stolen) / Double(end.all - start.all) : 0
  }

  private static func read() -> (stolen: UInt64, all: UInt64) {
    let text = Harness.read("/proc/stat") ?? ""
    // cpu user nice system idle iowait irq softirq steal …; guests are counted in user already.
    let words = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().prefix(8).compactMap { UInt64($0) }
    return words.count == 8 ? (words[7], words.reduce(0, +)) : (0, 0)
  }
}
