/// One message to a ZooKeeper server: big-endian numbers, and a 32-bit length before bytes, texts and lists ("jute").
struct ZooKeeperWriter {
  private var bytes: [UInt8] = [0, 0, 0, 0]

  mutating func int(_ value: Int32) { withUnsafeBytes(of: value.bigEndian) { bytes += $0 } }
  mutating func long(_ value: Int64) { withUnsafeBytes(of: value.bigEndian) { bytes += $0 } }
  mutating func bool(_ value: Bool) { bytes.append(value ? 1 : 0) }

  mutating func buffer(_ value: [UInt8]) {
    int(Int32(value.count))
    bytes += value
  }

  mutating func text(_ value: String) { buffer(Array(value.utf8)) }

  mutating func texts(_ values: [String]) {
    int(Int32(values.count))
    for value in values { text(value) }
  }

  /// The message behind its length, as it goes over the wire.
  var frame: [UInt8] {
    var frame = bytes
    withUnsafeBytes(of: Int32(bytes.count - 4).bigEndian) { frame.replaceSubrange(0..<4, with: $0) }
    return frame
  }
}

/// One message from a ZooKeeper server, read front to back. Throws `.malformed` where it ends too soon.
struct ZooKeeperReader {
  private let bytes: ArraySlice<UInt8>
  private var offset: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    offset = bytes.startIndex
  }

  var isAtEnd: Bool { offset == bytes.endIndex }

  private mutating func take(_ count: Int) throws(ZooKeeperError) -> ArraySlice<UInt8> {
    guard count >= 0, count <= bytes.endIndex - offset else { throw .malformed("a message ends too soon") }
    defer { offset += count }
    return bytes[offset..<(offset + count)]
  }

  mutating func int() throws(ZooKeeperError) -> Int32 {
    Int32(bitPattern: try take(4).reduce(0) { $0 << 8 | UInt32($1) })
  }

  mutating func long() throws(ZooKeeperError) -> Int64 {
    Int64(bitPattern: try take(8).reduce(0) { $0 << 8 | UInt64($1) })
  }

  mutating func bool() throws(ZooKeeperError) -> Bool { try take(1).first != 0 }

  /// A length of -1 stands for no bytes at all.
  mutating func buffer() throws(ZooKeeperError) -> [UInt8] { Array(try take(max(0, Int(try int())))) }

  mutating func text() throws(ZooKeeperError) -> String { String(decoding: try buffer(), as: UTF8.self) }

  mutating func texts() throws(ZooKeeperError) -> [String] {
    let count = Int(try int())
    // Each takes four bytes at least: a count that cannot be true reserves nothing.
    guard count <= (bytes.endIndex - offset) / 4 else { throw .malformed("a list is longer than its message") }
    var texts: [String] = []
    for _ in 0..<max(0, count) { texts.append(try text()) }
    return texts
  }
}

/// What a request asks for.
enum ZooKeeperOperation: Int32 {
  case exists = 3
  case getData = 4
  case getChildren = 8
  case ping = 11
  case removeWatches = 18
  case authenticate = 100
  case setWatches = 101
  case closeSession = -11
}

/// Numbers of messages that answer no request of ours, or that have a fixed number.
enum ZooKeeperXid {
  static let event: Int32 = -1
  static let ping: Int32 = -2
  static let authenticate: Int32 = -4
  static let setWatches: Int32 = -8
}

/// A watch that fired.
struct ZooKeeperEvent {
  enum Kind: Int32 {
    /// About the session, not about a node.
    case session = -1
    case created = 1
    case deleted = 2
    case dataChanged = 3
    case childrenChanged = 4
  }

  var kind: Kind
  /// With the chroot in front.
  var path: String

  /// `nil` for kinds of event that were not asked for.
  init?(_ reader: inout ZooKeeperReader) throws(ZooKeeperError) {
    let kind = Kind(rawValue: try reader.int())
    _ = try reader.int()
    path = try reader.text()
    guard let kind else { return nil }
    self.kind = kind
  }
}
