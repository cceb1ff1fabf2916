/// A report, written piece by piece so that its reader can send and yield in between.
///
/// Confined to the control thread, but for pieces that `isNextShared`. Scopes may come and go between pieces: the page
/// shows those there were when it was asked for, each value as it is when its line is written.
///
/// Unchecked: shared sections read what never changes in a scope, and the workers' words, which anybody may read.
public struct MetricsPage: @unchecked Sendable {
  /// A piece ends with the first unit (a scope's lines of one family) beyond this size.
  public static let chunkBytes = 64 * 1_024
  /// Another thread is handed more at a time, since to wake it and to be woken costs as much as some hundred lines.
  public static let sharedChunkBytes = 256 * 1_024

  struct Section {
    let units: Int
    /// Any thread may write it.
    var isShared = false
    let write: (Int, HistogramScratch, inout TextWriter) -> Void
  }

  public let contentType: String
  private let sections: [Section]
  private var section = 0
  private var unit = 0

  init(contentType: String, sections: [Section]) {
    self.contentType = contentType
    self.sections = sections
  }

  public var isAtEnd: Bool { section == sections.count }

  /// Whether any thread may call `next` for the next piece.
  public var isNextShared: Bool { !isAtEnd && sections[section].isShared }

  /// The next piece. Empty where nothing is left, or where what can be written on one thread has nothing to say.
  public mutating func next() -> [UInt8] {
    let isShared = isNextShared
    let size = isShared ? Self.sharedChunkBytes : Self.chunkBytes
    var writer = TextWriter(capacity: size + 8 * 1_024)
    let scratch = HistogramScratch()
    while !isAtEnd, sections[section].isShared == isShared {
      let current = sections[section]
      while unit < current.units && writer.count < size {
        current.write(unit, scratch, &writer)
        unit += 1
      }
      if unit < current.units { break }
      section += 1
      unit = 0
    }
    return writer.bytes
  }

  /// The whole rest at once.
  public mutating func rest() -> [UInt8] {
    var out: [UInt8] = []
    while !isAtEnd { out += next() }
    return out
  }
}
