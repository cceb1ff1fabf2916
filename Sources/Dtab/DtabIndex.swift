/// Finds the entries of a large dtab that may match a path without trying each.
///
/// Entries are grouped by the shape of their prefix: how many elements it has and which are wildcards. Of a path, what a
/// shape does not leave open is hashed once per shape; real tables have a handful of shapes.
struct DtabIndex: Sendable {
  /// A dtab with fewer entries is read through.
  static let countMin = 16

  struct Shape: Hashable, Sendable {
    /// Elements that are hashed; what a prefix has beyond the 64th is left to the test of the prefix itself.
    let count: Int
    /// Bit `i` is set if element `i` is a wildcard.
    let wildcards: UInt64
  }

  /// The first so many entries are in the index.
  let covered: Int
  let shapes: [Shape]
  /// By shape and hash, the last entry that has them.
  private let latest: [UInt64: Int]
  /// For each entry the one before it with the same shape and hash, or -1.
  private let previous: [Int]

  init(_ entries: [Dentry]) {
    var shapes: [Shape: Int] = [:]
    var order: [Shape] = []
    var latest: [UInt64: Int] = [:]
    latest.reserveCapacity(entries.count)
    var previous: [Int] = []
    previous.reserveCapacity(entries.count)
    for (index, entry) in entries.enumerated() {
      let shape = Self.shape(of: entry.prefix)
      let number = shapes[shape] ?? order.count
      if number == order.count {
        shapes[shape] = number
        order.append(shape)
      }
      let key = Self.key(entry.prefix.encoded, shape, number)
      previous.append(latest.updateValue(index, forKey: key) ?? -1)
    }
    covered = entries.count
    self.shapes = order
    self.latest = latest
    self.previous = previous
  }

  /// Adds what matches among the covered entries, the last first; what is there already is of entries behind those.
  func matching(_ path: Path, _ entries: [Dentry], into matches: inout Dtab.Matches) {
    var hits = 0
    for (number, shape) in shapes.enumerated() where shape.count <= path.count {
      guard var index = latest[Self.key(path.encoded, shape, number)] else { continue }
      hits += 1
      while index >= 0 {
        if let tail = entries[index].prefix.tail(of: path) { matches.append(Dtab.Match(index: index, tail: tail)) }
        index = previous[index]
      }
    }
    // Each shape's entries are in order already.
    if hits > 1 { matches.sort() }
  }

  private static func shape(of prefix: PathPrefix) -> Shape {
    var wildcards: UInt64 = 0
    var offset = 0
    var position: UInt64 = 0
    while prefix.hasWildcard, position < 64, let element = PathBytes.label(of: prefix.encoded, at: &offset) {
      if element.isEmpty { wildcards |= 1 << position }
      position += 1
    }
    return Shape(count: min(64, prefix.count), wildcards: wildcards)
  }

  /// FNV-1a over the elements that are not wildcards, lengths included, and the shape's number.
  private static func key(_ encoded: [UInt8], _ shape: Shape, _ number: Int) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ UInt64(number)
    var offset = 0
    let bytes = encoded.span
    for position in 0..<shape.count {
      let start = offset
      guard PathBytes.label(of: encoded, at: &offset) != nil else { break }
      if shape.wildcards >> UInt64(position) & 1 == 1 { continue }
      for index in start..<offset { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3 }
    }
    return hash
  }
}
