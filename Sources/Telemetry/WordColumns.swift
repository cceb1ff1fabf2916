import CMeshShims

/// The words of one scope's blocks side by side, one column per worker. Whoever holds it also holds the blocks.
struct WordColumns {
  private let columns: UnsafeMutablePointer<UnsafeMutablePointer<UInt64>>
  let count: Int

  init(_ blocks: [some StatsBlock]) {
    count = blocks.count
    columns = .allocate(capacity: count)
    for (i, block) in blocks.enumerated() { (columns + i).initialize(to: block.words) }
  }

  func deallocate() { columns.deallocate() }

  func load(_ column: Int, _ word: Int) -> UInt64 { mesh_word_load(columns[column] + word) }

  func histogram(_ column: Int, _ base: Int) -> HistogramWords { HistogramWords(columns[column] + base) }

  func sum(_ word: Int) -> UInt64 {
    var total: UInt64 = 0
    for column in 0..<count { total &+= load(column, word) }
    return total
  }

  func sum(_ words: Range<Int>) -> UInt64 {
    var total: UInt64 = 0
    for column in 0..<count {
      for word in words { total &+= load(column, word) }
    }
    return total
  }

  func largest(_ word: Int) -> UInt64 {
    var most: UInt64 = 0
    for column in 0..<count { most = max(most, load(column, word)) }
    return most
  }
}
