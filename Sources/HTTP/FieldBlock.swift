/// The field lines of a head, with an index of the known names.
///
/// Reused from message to message: parsing keeps the capacity. Holds positions only, so it is meaningful together with
/// the bytes it was parsed from.
public struct FieldBlock: Sendable {
  public internal(set) var fields: [HeaderField] = []
  /// Known names that occur; `other` and `l5dOther` when any such name occurs.
  public internal(set) var present = KnownHeaderSet()
  /// Known names that occur on more than one line.
  public internal(set) var repeated = KnownHeaderSet()
  /// Whether any field is hop-by-hop.
  public internal(set) var hasHopByHop = false
  /// Connection options with a meaning of their own.
  public internal(set) var connectionClose = false
  public internal(set) var connectionKeepAlive = false
  public internal(set) var connectionUpgrade = false
  /// Members of all Via fields together: the number of proxies that the message came through.
  public internal(set) var viaCount = 0

  /// Position of the first line of each known name; meaningful only where `present` has the name.
  @usableFromInline var firstIndex = InlineArray<64, UInt16>(repeating: 0)

  public init() {
    // What `H1Limits` allows by default, so that the first request does not grow it step by step.
    fields.reserveCapacity(32)
  }

  /// Position in `fields` of the first line with this name.
  @inlinable
  public func index(of header: KnownHeader) -> Int? {
    present.contains(header) ? Int(firstIndex[Int(header.rawValue)]) : nil
  }

  /// Value of the first line with this name.
  @inlinable
  public func value(of header: KnownHeader) -> ByteRange? {
    present.contains(header) ? fields[Int(firstIndex[Int(header.rawValue)])].value : nil
  }

  @inline(__always)
  mutating func reset() {
    fields.removeAll(keepingCapacity: true)
    present = []
    repeated = []
    hasHopByHop = false
    connectionClose = false
    connectionKeepAlive = false
    connectionUpgrade = false
    viaCount = 0
  }

  @inline(__always)
  mutating func append(id: KnownHeader, line: Int, colon: Int, value: Int, valueEnd: Int, lineEnd: Int) {
    let isHopByHop = KnownHeaderSet.hopByHop.contains(id)
    hasHopByHop = hasHopByHop || isHopByHop
    if present.contains(id) {
      repeated.insert(id)
    } else {
      present.insert(id)
      firstIndex[Int(id.rawValue)] = UInt16(truncatingIfNeeded: fields.count)
    }
    fields.append(
      HeaderField(
        id: id, name: ByteRange(from: line, to: colon), value: ByteRange(from: value, to: valueEnd),
        line: ByteRange(from: line, to: lineEnd), isHopByHop: isHopByHop))
  }

  /// Position of the second line with a repeated name, for the place of an error.
  func secondIndex(of header: KnownHeader) -> Int {
    guard let first = index(of: header) else { return 0 }
    return fields[(first + 1)...].firstIndex { $0.id == header } ?? first
  }
}
