import CMeshShims

/// The words of one histogram within a scope's block; one worker writes them, the control thread reads.
///
/// Latencies of one service span a few octaves of the scale, so the counts of 32 buckets (four octaves) come into being
/// together when the first value lands among them: a histogram takes some 600 bytes instead of 2 KB, times two or three
/// per scope, times workers, times thousands of scopes. After that first value nothing is allocated.
///
/// The region holds one address per chunk (0 while there is none) and the sum of all values.
@frozen
public struct HistogramWords {
  @inlinable static var chunkShift: Int { 5 }
  @inlinable static var chunkBuckets: Int { 1 << chunkShift }
  /// The last chunk is half used.
  @inlinable static var chunkCount: Int { 8 }
  @inlinable static var sumWord: Int { chunkCount }
  /// Words of the region.
  @inlinable static var wordCount: Int { chunkCount + 1 }

  @usableFromInline let base: UnsafeMutablePointer<UInt64>

  @inlinable init(_ base: UnsafeMutablePointer<UInt64>) { self.base = base }

  /// Two additions; the bucket comes from one count of leading zeros. Owning worker only.
  @inlinable public func record(_ value: UInt64) {
    let bucket = HistogramScale.bucket(of: value)
    // Below `chunkCount` because the bucket is below 240 for every value.
    let slot = base + (bucket &>> Self.chunkShift)
    let chunk = Self.chunk(mesh_word_load(slot)) ?? Self.makeChunk(in: slot)
    mesh_word_add(chunk + (bucket & (Self.chunkBuckets &- 1)), 1)
    mesh_word_add(base + Self.sumWord, Swift.min(value, HistogramScale.valueMax))
  }

  @inlinable static func chunk(_ address: UInt64) -> UnsafeMutablePointer<UInt64>? {
    UnsafeMutablePointer(bitPattern: UInt(truncatingIfNeeded: address))
  }

  @usableFromInline @inline(never)
  static func makeChunk(in slot: UnsafeMutablePointer<UInt64>) -> UnsafeMutablePointer<UInt64> {
    let chunk = allocateZeroedWords(chunkBuckets)
    // Published with release order: a reader that sees the address sees the zeros.
    mesh_word_publish(slot, UInt64(UInt(bitPattern: chunk)))
    return chunk
  }

  /// The counts that begin at bucket `32 * place`, for readers; nil if nothing was recorded there.
  func published(_ place: Int) -> UnsafeMutablePointer<UInt64>? { Self.chunk(mesh_word_acquire(base + place)) }

  /// Gives the chunks back, at the end of the block.
  func free() {
    for place in 0..<Self.chunkCount {
      if let chunk = published(place) { UnsafeMutableRawPointer(chunk).deallocate() }
    }
  }
}

/// Aligned to a cache line, so that two workers never write to the same one.
func allocateZeroedWords(_ count: Int) -> UnsafeMutablePointer<UInt64> {
  let words = UnsafeMutableRawPointer.allocate(byteCount: count * 8, alignment: 64)
    .bindMemory(to: UInt64.self, capacity: count)
  words.initialize(repeating: 0, count: count)
  return words
}
