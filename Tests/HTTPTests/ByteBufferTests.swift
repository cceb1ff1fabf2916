import MeshBase
import Testing

@testable import HTTP

@Suite("byte buffers")
struct ByteBufferTests {
  @Test("numbers are written as the standard library writes them")
  func numbers() {
    var random = SeededRandom(seed: 5)
    var samples: [UInt64] = [0, 1, 9, 10, 15, 16, 99, 100, 255, 256, 65_535, .max, .max - 1, 1 << 63]
    for shift in 0..<64 { samples.append(UInt64.random(in: 0...(.max >> UInt64(shift)), using: &random)) }
    for number in samples {
      #expect(written { $0.append(decimal: number) } == String(number))
      #expect(written { $0.append(hex: number) } == String(number, radix: 16))
    }
    for number in [0, -1, 7, .min, .max] { #expect(written { $0.append(decimal: number) } == String(number)) }
    for size in [1, 15, 16, 4_096, .max] {
      #expect(written { $0.appendChunkHeader(size) } == String(size, radix: 16) + "\r\n")
    }
  }

  @Test("any sequence of appends and takings leaves what an array would hold", arguments: [1, 2, 3] as [UInt64])
  func model(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let buffer = ByteBuffer()
    var model: [UInt8] = []
    for step in 0..<1_500 {
      switch Int.random(in: 0..<9, using: &random) {
      case 0:
        buffer.append(7)
        model.append(7)
      case 1, 2:
        let bytes = (0..<Int.random(in: 0...90, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        buffer.append(bytes.span)
        model += bytes
      case 3:
        buffer.append("static")
        buffer.append(String("string"))
        model += bytes("staticstring")
      case 4, 5:
        let count = Int.random(in: 0...model.count, using: &random)
        buffer.consume(count)
        model.removeFirst(count)
      case 6:
        let room = buffer.writable(minimum: 20)
        #expect(room.count >= 20)
        room[0] = 1
        room[1] = 2
        buffer.didWrite(2)
        model += [1, 2]
      case 7:
        let count = model.count - min(model.count, Int.random(in: 0...5, using: &random))
        buffer.truncate(to: count)
        model.removeLast(model.count - count)
      default:
        if step % 50 == 0 {
          buffer.removeAll()
          model = []
        }
        if step % 77 == 0 {
          buffer.releaseStorage()
          #expect(buffer.capacity == 0)
          model = []
        }
      }
      #expect(Array(buffer.readable) == model, "seed \(seed), step \(step)")
      #expect(buffer.count == model.count && buffer.isEmpty == model.isEmpty)
      #expect(buffer.withSpan { $0.count } == model.count)
    }
  }

  @Test("steady use keeps the storage it has")
  func steady() {
    let buffer = ByteBuffer(minimumCapacity: 256)
    let capacity = buffer.capacity
    for _ in 0..<1_000 {
      for _ in 0..<10 { buffer.append("0123456789") }
      buffer.consume(60)
      for _ in 0..<5 { buffer.append("0123456789") }
      buffer.consume(buffer.count)
    }
    #expect(buffer.capacity == capacity)
  }

  @Test("taking more than there is ends the process")
  func overrun() async {
    await #expect(processExitsWith: .failure) { ByteBuffer().consume(1) }
    await #expect(processExitsWith: .failure) { ByteBuffer().didWrite(1) }
    await #expect(processExitsWith: .failure) { ByteBuffer().truncate(to: 1) }
  }
}
