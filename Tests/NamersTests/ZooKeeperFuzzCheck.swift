#if canImport(Namers)
  @testable import Namers
#endif

/// What holds for what a ZooKeeper server sends, on any input. The first byte says where the input is cut in two; a broken
/// law ends the process.
func checkZooKeeperLaws(_ input: [UInt8]) {
  guard let first = input.first else { return }
  let bytes = Array(input[1...])
  let cut = Int(first) * bytes.count / 255
  let whole = zooKeeperMessages(in: [bytes])
  precondition(zooKeeperMessages(in: [Array(bytes[..<cut]), Array(bytes[cut...])]) == whole, "depends on the cut")
  precondition(zooKeeperMessages(in: bytes.map { [$0] }) == whole, "depends on pieces of one byte")
  for message in whole.messages { readZooKeeperMessage(message) }
  readZooKeeperMessage(bytes)
  // What was written is read as it was.
  var writer = ZooKeeperWriter()
  let texts = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
  writer.long(Int64(bytes.count))
  writer.bool(cut > 0)
  writer.buffer(bytes)
  writer.texts(texts)
  let frame = writer.frame
  guard let body = try? ZooKeeperFrame.first(in: frame) else { preconditionFailure("what was written is no message") }
  var reader = ZooKeeperReader(body)
  precondition((try? reader.long()) == Int64(bytes.count), "a number")
  precondition((try? reader.bool()) == (cut > 0), "a flag")
  precondition((try? reader.buffer()) == bytes, "bytes")
  precondition((try? reader.texts()) == texts, "texts")
  precondition(reader.isAtEnd, "something is left over")
}

struct ZooKeeperReading: Equatable {
  var messages: [[UInt8]] = []
  var failure: ZooKeeperError?
}

/// The messages in order, up to the first that cannot be.
func zooKeeperMessages(in pieces: [[UInt8]]) -> ZooKeeperReading {
  var reading = ZooKeeperReading()
  var input: [UInt8] = []
  for piece in pieces {
    input += piece
    var offset = 0
    do throws(ZooKeeperError) {
      while let frame = try ZooKeeperFrame.first(in: input, from: offset) {
        precondition(frame.endIndex > offset && frame.count <= ZooKeeperFrame.bytesMax, "not a message of the input")
        reading.messages.append(Array(frame))
        offset = frame.endIndex
      }
    } catch {
      reading.failure = error
      return reading
    }
    input.removeFirst(offset)
  }
  return reading
}

/// As an event, and as the answers that the client reads.
private func readZooKeeperMessage(_ message: [UInt8]) {
  var event = ZooKeeperReader(message[...])
  _ = try? event.int()
  _ = try? event.long()
  _ = try? event.int()
  if let event = try? ZooKeeperEvent(&event) {
    precondition(event.path.utf8.count <= 3 * message.count, "a longer path")
  }
  var list = ZooKeeperReader(message.dropFirst(16))
  if let texts = try? list.texts() { precondition(4 * texts.count <= message.count, "more texts than bytes") }
  var data = ZooKeeperReader(message.dropFirst(16))
  if let bytes = try? data.buffer() { precondition(bytes.count <= message.count, "more bytes than there are") }
}
