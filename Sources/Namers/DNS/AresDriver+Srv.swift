import CAres
import MeshBase
import Net

extension AresDriver {
  /// One SRV record (RFC 2782).
  struct SrvRecord: Equatable {
    /// The lowest is tried first.
    var priority: UInt16
    var weight: UInt16
    var port: UInt16
    /// Without the dot at its end; empty: the service is decidedly not offered.
    var target: String
  }

  enum SrvAnswer: Equatable {
    /// The time to live is the smallest of the answer's.
    case records([SrvRecord], seconds: Int)
    /// The server says for certain that there are none.
    case none(String)
    case failed(String)
  }

  private static let typeSRV: Int32 = 33
  private static let headerBytes = 12
  private static let recordsMax = 4_096

  /// Asks for one name as it stands. `done` is called once, perhaps before this returns.
  func querySrv(_ name: String, _ done: @escaping @ControlActor (SrvAnswer) -> Void) {
    ask(name, type: Self.typeSRV) { status, bytes, count in
      switch status {
      case ARES_SUCCESS: done(Self.parseSrv(UnsafeBufferPointer(start: bytes, count: Int(count))))
      case ARES_ENOTFOUND: done(.none("no such name (NXDOMAIN)"))
      case ARES_ENODATA: done(.none("the name has no SRV record"))
      default: done(.failed(Self.text(status)))
      }
    }
  }

  /// c-ares' own parser of SRV answers leaves the times to live out, so the records are walked here (RFC 1035 §4.1);
  /// names, which may point anywhere in the message, are left to c-ares.
  static func parseSrv(_ message: UnsafeBufferPointer<UInt8>) -> SrvAnswer {
    let malformed = SrvAnswer.failed("malformed answer")
    func number(_ offset: Int, bytes: Int) -> Int {
      (0..<bytes).reduce(0) { $0 << 8 | Int(message[offset + $1]) }
    }
    func name(at offset: inout Int) -> String? {
      guard let base = message.baseAddress, offset < message.count else { return nil }
      var text: UnsafeMutablePointer<CChar>?
      var used = 0
      guard ares_expand_name(base + offset, base, Int32(message.count), &text, &used) == ARES_SUCCESS,
        let text
      else { return nil }
      defer { ares_free_string(text) }
      offset += used
      return String(cString: text)
    }
    guard message.count >= headerBytes else { return malformed }
    let questions = number(4, bytes: 2)
    let answers = number(6, bytes: 2)
    var offset = headerBytes
    for _ in 0..<questions {
      guard name(at: &offset) != nil, offset + 4 <= message.count else { return malformed }
      offset += 4
    }
    var records: [SrvRecord] = []
    var seconds = Int(Int32.max)
    for _ in 0..<min(answers, recordsMax) {
      guard name(at: &offset) != nil, offset + 10 <= message.count else { return malformed }
      let type = number(offset, bytes: 2)
      let ttl = number(offset + 4, bytes: 4)
      let length = number(offset + 8, bytes: 2)
      offset += 10
      guard offset + length <= message.count else { return malformed }
      if type == typeSRV {
        guard length >= 7 else { return malformed }
        var place = offset + 6
        guard let target = name(at: &place), place <= offset + length else { return malformed }
        records.append(
          SrvRecord(
            priority: UInt16(number(offset, bytes: 2)), weight: UInt16(number(offset + 2, bytes: 2)),
            port: UInt16(number(offset + 4, bytes: 2)), target: target))
        seconds = min(seconds, ttl)
      } else if type == 5 {
        // An alias on the way there lives no longer than its own time.
        seconds = min(seconds, ttl)
      }
      offset += length
    }
    return records.isEmpty ? .none("the name has no SRV record") : .records(records, seconds: seconds)
  }
}
