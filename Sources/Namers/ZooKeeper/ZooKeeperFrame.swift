/// Cuts what a ZooKeeper server sends into messages, each of which has its length before it.
enum ZooKeeperFrame {
  /// A server's default limit is 1 MiB; large trees are run with more. What states a greater length is not taken in.
  static let bytesMax = 64 << 20
  private static let bytesMin = 16

  /// The first whole message at `start`, without its length. `nil`: there is more to come.
  static func first(in input: [UInt8], from start: Int = 0) throws(ZooKeeperError) -> ArraySlice<UInt8>? {
    guard input.count - start >= 4 else { return nil }
    var header = ZooKeeperReader(input[start..<(start + 4)])
    let length = Int(try header.int())
    guard length >= bytesMin else { throw .malformed("a message of \(length) bytes") }
    guard length <= bytesMax else { throw .tooLarge(length) }
    return input.count - start - 4 >= length ? input[(start + 4)..<(start + 4 + length)] : nil
  }
}
