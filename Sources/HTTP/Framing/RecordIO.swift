import MeshBase

/// Why a RecordIO stream cannot be read on: where its next record begins is not known any more.
public enum RecordIOError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A byte that is no digit where a record's length stands.
  case notALength(byte: UInt8)
  /// More digits than a length may have.
  case lengthTooLong(digitsMax: Int)
  case recordTooLarge(bytes: UInt64, max: UInt64)

  public var description: String {
    switch self {
    case .notALength(let byte):
      "a record's length has the byte 0x\(String(byte, radix: 16)), which is no digit: is this a RecordIO stream?"
    case .lengthTooLong(let most): "a record's length has more than \(most) digits: is this a RecordIO stream?"
    case .recordTooLarge(let bytes, let most): "a record has \(bytes) bytes, more than the limit of \(most)"
    }
  }
}

/// Takes a RecordIO stream apart: decimal length, LF, so many bytes, without a trailer, again and again.
///
/// Pulled event by event from whatever input is at hand; holds its place between calls and no input, so that a record
/// of any size passes through piece by piece:
/// ```
/// var index = 0
/// while true {
///   let step = parser.next(bytes.span, from: index)
///   index = step.consumedTo
///   switch step.event {
///   case .begin(let length): …            // a new record
///   case .data(let range): …              // indices in `bytes`; at most the rest of the record
///   case .end: …                          // the record is whole
///   case .needMore: return                // all of `bytes` is consumed
///   case .failed(let error): throw error
///   }
/// }
/// ```
/// Empty lines between records are passed over. After a failure every call fails again.
public struct RecordIOParser: Sendable {
  public enum Event: Equatable, Sendable {
    /// A record of so many bytes begins.
    case begin(length: UInt64)
    /// Indices in the input, never empty.
    case data(Range<Int>)
    /// The record has ended.
    case end
    case needMore
    case failed(RecordIOError)
  }

  public struct Step: Equatable, Sendable {
    public var event: Event
    /// Index of the first byte that is not consumed yet.
    public var consumedTo: Int
  }

  private enum State: Equatable {
    case length, data
    case failed(RecordIOError)
  }

  private let recordBytesMax: UInt64
  private let lengthDigitsMax: Int
  private var state = State.length
  private var digits = 0
  /// While the length is read: its value so far. Then: bytes of the record still to come.
  private var remaining: UInt64 = 0

  /// - Parameter lengthDigitsMax: 1 to 19; leading zeros count.
  public init(recordBytesMax: UInt64 = 1 << 30, lengthDigitsMax: Int = 12) {
    precondition((1...19).contains(lengthDigitsMax), "a length of \(lengthDigitsMax) digits")
    self.recordBytesMax = recordBytesMax
    self.lengthDigitsMax = lengthDigitsMax
  }

  /// Whether the stream may end here: no record has begun.
  public var isBetweenRecords: Bool { state == .length && digits == 0 }

  /// Goes on with `input` from index `start`.
  public mutating func next(_ input: Span<UInt8>, from start: Int) -> Step {
    var index = start
    switch state {
    case .failed(let error): return Step(event: .failed(error), consumedTo: index)
    case .data:
      if remaining == 0 {
        state = .length
        return Step(event: .end, consumedTo: index)
      }
      guard index < input.count else { return Step(event: .needMore, consumedTo: index) }
      let count = Int(min(remaining, UInt64(input.count - index)))
      remaining -= UInt64(count)
      return Step(event: .data(index..<index + count), consumedTo: index + count)
    case .length:
      while index < input.count {
        let byte = input[index]
        index += 1
        if Ascii.isDigit(byte) {
          if digits == lengthDigitsMax { return fail(.lengthTooLong(digitsMax: lengthDigitsMax), index) }
          digits += 1
          remaining = remaining * 10 + UInt64(byte - 0x30)
        } else if byte == UInt8(ascii: "\n") {
          if digits == 0 { continue }
          digits = 0
          if remaining > recordBytesMax { return fail(.recordTooLarge(bytes: remaining, max: recordBytesMax), index) }
          state = .data
          return Step(event: .begin(length: remaining), consumedTo: index)
        } else if byte != UInt8(ascii: "\r") {
          // A CR before the LF is passed over as well.
          return fail(.notALength(byte: byte), index)
        }
      }
      return Step(event: .needMore, consumedTo: index)
    }
  }

  private mutating func fail(_ error: RecordIOError, _ index: Int) -> Step {
    state = .failed(error)
    return Step(event: .failed(error), consumedTo: index)
  }
}
