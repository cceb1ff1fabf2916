import CMeshShims
import COpenSSL
import Synchronization

/// The keys that session tickets are sealed with (RFC 5077 §4), shared by all contexts and workers.
///
/// The newest seals; it and `olderKept` before it open. They live in this process only and survive every change of a
/// certificate: who could resume before can resume after.
public final class TLSTicketKeys: Sendable {
  /// Of this process.
  public static let shared = TLSTicketKeys()

  struct Key {
    /// What a ticket begins with, to find its key again.
    var name: (UInt64, UInt64)
    var cipher: [UInt8]
    var mac: [UInt8]
    var madeNanoseconds: UInt64

    static func fresh() -> Key {
      _ = OpenSSLMemory.hasSlots
      var random = [UInt8](repeating: 0, count: 80)
      precondition(RAND_bytes(&random, 80) == 1, "no random numbers")
      let name = random.withUnsafeBytes {
        ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      }
      return Key(
        name: name, cipher: Array(random[16..<48]), mac: Array(random[48...]),
        madeNanoseconds: mesh_monotonic_nanoseconds())
    }
  }

  static let olderKept = 2
  private let periodNanoseconds: UInt64
  /// Newest first, never empty.
  private let ring = Mutex<[Key]>([.fresh()])

  public init(periodSeconds: UInt64 = 3_600) { periodNanoseconds = periodSeconds * 1_000_000_000 }

  /// Makes a new key the one that seals. Happens by itself once the newest is a period old.
  public func rotate() { ring.withLock { Self.rotate(&$0) } }

  private static let exportedBytes = 88

  /// All keys, for a process that takes the place of this one on this host: over a channel that nobody else can read.
  public func exported() -> [UInt8] {
    ring.withLock { ring in
      ring.flatMap { key in
        Self.bytes(key.name.0) + Self.bytes(key.name.1) + key.cipher + key.mac + Self.bytes(key.madeNanoseconds)
      }
    }
  }

  /// Goes on with the keys of such a process: what it has given out opens here. False if that is no set of keys.
  @discardableResult
  public func adopt(_ bytes: [UInt8]) -> Bool {
    let count = bytes.count / Self.exportedBytes
    guard count > 0, count <= Self.olderKept + 1, bytes.count == count * Self.exportedBytes else { return false }
    let keys = (0..<count).map { index in
      let part = bytes[(index * Self.exportedBytes)..<((index + 1) * Self.exportedBytes)]
      let at = part.startIndex
      return Key(
        name: (Self.number(part[at..<at + 8]), Self.number(part[at + 8..<at + 16])),
        cipher: Array(part[at + 16..<at + 48]), mac: Array(part[at + 48..<at + 80]),
        // CLOCK_MONOTONIC is the same for all processes of a host.
        madeNanoseconds: Self.number(part[at + 80..<at + 88]))
    }
    ring.withLock { $0 = keys }
    return true
  }

  private static func bytes(_ number: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func rotate(_ ring: inout [Key]) {
    ring.insert(.fresh(), at: 0)
    if ring.count > olderKept + 1 { ring.removeLast() }
  }

  /// The key that seals now.
  var sealing: Key {
    ring.withLock { ring in
      if mesh_monotonic_nanoseconds() &- ring[0].madeNanoseconds >= periodNanoseconds { Self.rotate(&ring) }
      return ring[0]
    }
  }

  /// The key with this name, and whether it is the newest; `nil` if it is forgotten.
  func opening(_ name: (UInt64, UInt64)) -> (key: Key, isNewest: Bool)? {
    ring.withLock { ring in
      guard let index = ring.firstIndex(where: { $0.name == name }) else { return nil }
      return (ring[index], index == 0)
    }
  }

  /// Looked up once: a look-up by name costs more than sealing does.
  private struct Algorithms: @unchecked Sendable {
    let cipher = EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)
  }
  private static let algorithms = Algorithms()

  /// OpenSSL's call for each ticket: 0 no key (full handshake), 1 fine, 2 fine and renew the ticket, -1 error.
  static func seal(
    _ keys: TLSTicketKeys, name: UnsafeMutablePointer<UInt8>, iv: UnsafeMutablePointer<UInt8>,
    cipher: OpaquePointer, mac: OpaquePointer
  ) -> Int32 {
    let key = keys.sealing
    let raw = UnsafeMutableRawPointer(name)
    raw.storeBytes(of: key.name.0, as: UInt64.self)
    raw.storeBytes(of: key.name.1, toByteOffset: 8, as: UInt64.self)
    guard RAND_bytes(iv, 16) == 1, EVP_EncryptInit_ex(cipher, algorithms.cipher, nil, key.cipher, iv) == 1 else {
      return -1
    }
    return mesh_mac_set_key(mac, key.mac, key.mac.count) == 1 ? 1 : -1
  }

  /// `renews`: give out a new ticket in any case, since clients of TLS 1.3 use each one once.
  static func open(
    _ keys: TLSTicketKeys, renews: Bool, name: UnsafeMutablePointer<UInt8>, iv: UnsafeMutablePointer<UInt8>,
    cipher: OpaquePointer, mac: OpaquePointer
  ) -> Int32 {
    let raw = UnsafeRawPointer(name)
    let wanted = (
      raw.loadUnaligned(as: UInt64.self), raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    )
    guard let (key, isNewest) = keys.opening(wanted) else { return 0 }
    guard mesh_mac_set_key(mac, key.mac, key.mac.count) == 1,
      EVP_DecryptInit_ex(cipher, algorithms.cipher, nil, key.cipher, iv) == 1
    else {
      return -1
    }
    return isNewest && !renews ? 1 : 2
  }
}
