import Config
import HTTP
import MeshBase

/// The faults that are injected on purpose into requests for one logical name.
struct FaultPlan {
  /// How a request is answered in place of an endpoint.
  struct Abort: Equatable {
    /// Of HTTP.
    var status: Int
    /// What a call of gRPC ends with.
    var call: GRPCStatus
  }

  /// What befalls one request.
  struct Fault: Equatable {
    /// Before anything else is done for the request; 0: none.
    var delayMilliseconds: UInt64 = 0
    /// Behind the delay; `nil`: none.
    var abort: Abort?

    var isNone: Bool { delayMilliseconds == 0 && abort == nil }
  }

  private let delayMilliseconds: UInt64
  /// 0 to 1.
  private let delayShare: Double
  private let abort: Abort
  private let abortShare: Double
  /// Only requests with this field; `nil`: all.
  private let header: [UInt8]?
  /// The field's value; `nil`: any.
  private let value: [UInt8]?
  /// Requests may ask for a fault by themselves.
  private let heedsRequests: Bool

  /// What a request can ask for at most.
  static let askedDelayMillisecondsMax: UInt64 = 60_000

  /// `nil`: nothing is injected.
  init?(_ configuration: Configuration.Faults?) {
    guard let configuration else { return nil }
    delayMilliseconds = UInt64(configuration.delay?.milliseconds ?? 0)
    delayShare = (configuration.delay?.percent ?? 0) / 100
    abort = Abort(configuration.abort ?? Configuration.Faults.Abort())
    abortShare = (configuration.abort?.percent ?? 0) / 100
    header = configuration.onlyWith.map { $0.header.utf8.map(Ascii.lowercased) }
    value = configuration.onlyWith?.value.map { Array($0.utf8) }
    heedsRequests = configuration.isByHeader
    if delayShare == 0 && abortShare == 0 && !heedsRequests { return nil }
  }

  /// What befalls the request with this head. Draws as often whatever comes out.
  func draw(_ head: UnsafeRawBufferPointer, using random: inout SeededRandom) -> Fault {
    let isDelayed = random.unit() < delayShare
    let isAborted = random.unit() < abortShare
    var fault = Fault()
    if isMeant(head) {
      if isDelayed { fault.delayMilliseconds = delayMilliseconds }
      if isAborted { fault.abort = abort }
    }
    if heedsRequests { heed(head, &fault) }
    return fault
  }

  private func isMeant(_ head: UnsafeRawBufferPointer) -> Bool {
    guard let header else { return true }
    guard let found = HeadText.value(header, in: head) else { return false }
    return value.map { found.elementsEqual($0) } ?? true
  }

  private func heed(_ head: UnsafeRawBufferPointer, _ fault: inout Fault) {
    if let text = HeadText.value(Self.delayHeader, in: head), let wish = ContextDeadline.number(text) {
      fault.delayMilliseconds = min(wish, Self.askedDelayMillisecondsMax)
    }
    if let text = HeadText.value(Self.abortHeader, in: head), let wish = ContextDeadline.number(text),
      (200...599).contains(wish)
    {
      fault.abort = Abort(status: Int(wish), call: GRPCStatus(httpStatus: Int(wish)))
    }
    if let text = HeadText.value(Self.abortCallHeader, in: head), let wish = GRPCStatus(text) {
      fault.abort = Abort(status: fault.abort?.status ?? 503, call: wish)
    }
  }

  /// The wishes are for this router; takes them out.
  func removeWishes(from head: ByteBuffer, room: ByteBuffer) {
    guard heedsRequests else { return }
    HeadText.rewrite(head, from: 0, room: room) { line, count, out in
      if !Self.wishes.contains(where: { HeadText.isNamed(line, count, $0) }) { out.append(line) }
    }
  }

  private static let delayHeader = Array("l5d-fault-delay".utf8)
  private static let abortHeader = Array("l5d-fault-abort".utf8)
  private static let abortCallHeader = Array("l5d-fault-abort-grpc".utf8)
  private static let wishes = [delayHeader, abortHeader, abortCallHeader]
}

extension FaultPlan.Abort {
  init(_ configuration: Configuration.Faults.Abort) {
    status = configuration.status
    call =
      configuration.grpcStatus.map { GRPCStatus(rawValue: UInt8($0)) } ?? GRPCStatus(httpStatus: configuration.status)
  }
}
