/// A report, written piece by piece so that its reader can send and yield in between.
///
/// Confined to the control thread. Scopes may come and go between pieces: the page shows those there were when it was
/// asked for, each value as it is when its line is written.
public struct MetricsPage {
  /// A piece ends with the first unit (a scope's lines of one family) beyond this size.
  public static let chunkBytes = 64 * 1_024

  struct Section {
    let units: Int
    let write: (Int, inout TextWriter) -> Void
  }

  public let contentType: String
  private let sections: [Section]
  private var section = 0
  private var unit = 0

  init(contentType: String, sections: [Section]) {
    self.contentType = contentType
    self.sections = sections
  }

  /// Appends the next piece, at least one unit; false when nothing is left, with nothing appended.
  public mutating func next(into out: inout [UInt8]) -> Bool {
    var writer = TextWriter(capacity: Self.chunkBytes + 8 * 1_024)
    while section < sections.count {
      let current = sections[section]
      while unit < current.units && writer.count < Self.chunkBytes {
        current.write(unit, &writer)
        unit += 1
      }
      if unit < current.units { break }
      section += 1
      unit = 0
    }
    writer.append(to: &out)
    return writer.count > 0
  }

  /// The whole rest at once.
  public mutating func rest() -> [UInt8] {
    var out: [UInt8] = []
    while next(into: &out) {}
    return out
  }
}
