import CMeshShims
import Glibc
import MeshBase
import Testing

@testable import HTTP

/// The allocator behind libnghttp2.
@Suite("Blocks and arenas")
struct BlockTests {
  private struct Block {
    var start: UnsafeMutablePointer<UInt8>
    var count: Int
    var mark: UInt8

    var isIntact: Bool { UnsafeBufferPointer(start: start, count: count).allSatisfy { $0 == mark } }
    func fill() { start.update(repeating: mark, count: count) }
  }

  private static func aligned(_ pointer: UnsafeMutableRawPointer?) throws -> UnsafeMutablePointer<UInt8> {
    let pointer = try #require(pointer)
    #expect(UInt(bitPattern: pointer) % 16 == 0)
    return pointer.assumingMemoryBound(to: UInt8.self)
  }

  @Test("blocks keep what is theirs, through all sizes, with an arena and without", arguments: 0..<8)
  func law(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let arena = seed % 2 == 0 && HTTP2Library.hasArenas ? mesh_arena_new() : nil
    var blocks: [Block] = []
    func size() -> Int {
      [1 + Int(random.next() % 64), Int(random.next() % 1_100), Int(random.next() % 40_000)][Int(random.next() % 3)]
    }
    for step in 0..<4_000 {
      let mark = UInt8(truncatingIfNeeded: step) | 1
      switch random.next() % 8 {
      case 0, 1:
        let count = size()
        blocks.append(Block(start: try Self.aligned(mesh_block_new(count, arena)), count: count, mark: mark))
        blocks[blocks.count - 1].fill()
      case 2:
        let count = size()
        let block = Block(start: try Self.aligned(mesh_block_zeroed(count, 1, arena)), count: count, mark: 0)
        #expect(block.isIntact, "seed \(seed), step \(step): not zeroed")
        blocks.append(block)
      case 3, 4:
        guard !blocks.isEmpty else { continue }
        let index = Int(random.next() % UInt64(blocks.count))
        let count = size()
        let moved = try Self.aligned(mesh_block_resize(blocks[index].start, count, arena))
        let kept = Block(start: moved, count: min(count, blocks[index].count), mark: blocks[index].mark)
        #expect(kept.isIntact, "seed \(seed), step \(step): lost by resizing")
        blocks[index] = Block(start: moved, count: count, mark: mark)
        blocks[index].fill()
      default:
        guard !blocks.isEmpty else { continue }
        let block = blocks.remove(at: Int(random.next() % UInt64(blocks.count)))
        #expect(block.isIntact, "seed \(seed), step \(step)")
        mesh_block_free(block.start, arena)
      }
    }
    for block in blocks {
      #expect(block.isIntact, "seed \(seed)")
      mesh_block_free(block.start, arena)
    }
    mesh_block_free(nil, arena)
    if let arena { mesh_arena_free(arena) }
  }

  @Test("sizes that overflow get nothing")
  func overflow() {
    #expect(mesh_block_zeroed(Int.max, 4, nil) == nil)
    #expect(mesh_block_new(Int.max, nil) == nil)
    #expect(mesh_block_new(-16, nil) == nil)
  }

  @Test("a small block that was freed serves again, on the thread that freed it")
  func reuse() {
    guard HTTP2Library.hasArenas else { return }
    var thread = pthread_t()
    var block: UnsafeMutableRawPointer?
    // Threads of their own: they have kept nothing yet.
    for _ in 0..<2 {
      pthread_create(
        &thread, nil,
        { given in
          let block = given ?? mesh_block_new(200, nil)
          mesh_block_free(block, nil)
          precondition(mesh_block_new(225, nil) != block)
          precondition(mesh_block_new(193, nil) == block)
          return block
        }, block)
      pthread_join(thread, &block)
    }
    mesh_block_free(block, nil)
  }

  @Test("a parked arena gives its pages back and comes again as it was, but for its buffer")
  func parking() throws {
    guard HTTP2Library.hasArenas else { return }
    var random = SeededRandom(seed: 3)
    let arenas = (0..<40).map { _ in mesh_arena_new()! }
    for arena in arenas {
      var blocks: [Block] = []
      for (index, count) in [2_928, 1_024, 4_096].enumerated() {
        let block = Block(start: try Self.aligned(mesh_block_zeroed(1, count, arena)), count: count, mark: 0)
        #expect(block.isIntact)
        blocks.append(block)
        for _ in 0..<100 * index { block.start[Int(random.next() % UInt64(count))] = UInt8(random.next() % 256) }
      }
      #expect(mesh_arena_park(arena) == nil, "it has no buffer yet")
      let buffer = try Self.aligned(mesh_block_new(16_394, arena))
      buffer.update(repeating: 7, count: 16_394)
      let contents = blocks.map { Array(UnsafeBufferPointer(start: $0.start, count: $0.count)) }
      let other = try Self.aligned(mesh_block_new(2_000, arena))
      other.update(repeating: 9, count: 2_000)
      for _ in 0..<3 {
        #expect(Self.residentPages(arena) >= 5)
        let kept = try #require(mesh_arena_park(arena))
        #expect(Self.residentPages(arena) == 0)
        mesh_arena_fetch(arena, kept)
        #expect(blocks.map { Array(UnsafeBufferPointer(start: $0.start, count: $0.count)) } == contents)
        buffer.update(repeating: 8, count: 16_394)
      }
      #expect((0..<2_000).allSatisfy { other[$0] == 9 })
      mesh_block_free(other, arena)
      mesh_block_free(buffer, arena)
      for block in blocks { mesh_block_free(block.start, arena) }
    }
    for arena in arenas { mesh_arena_free(arena) }
  }

  /// Of the seven that hold `arena`.
  private static func residentPages(_ arena: UnsafeMutableRawPointer) -> Int {
    let start = UnsafeMutableRawPointer(bitPattern: UInt(bitPattern: arena) & ~4_095)!
    var pages = [UInt8](repeating: 0, count: 7)
    precondition(mincore(start, 28_672, &pages) == 0)
    return pages.count { $0 & 1 != 0 }
  }

  @Test("more arenas than stay warm are taken, left and taken again")
  func many() throws {
    guard HTTP2Library.hasArenas else { return }
    for _ in 0..<3 {
      let arenas = (0..<300).map { _ in mesh_arena_new()! }
      #expect(Set(arenas).count == 300)
      for arena in arenas {
        let block = try Self.aligned(mesh_block_zeroed(512, 8, arena))
        #expect(UnsafeBufferPointer(start: block, count: 4_096).allSatisfy { $0 == 0 })
        block.update(repeating: 255, count: 4_096)
      }
      for arena in arenas { mesh_arena_free(arena) }
    }
  }
}
