import HTTP
import MeshBase
import Net

// When the caller will have given up: `l5d-ctx-deadline`, `grpc-timeout`, or the router's `timeoutHeader`. The strictest
// counts. What is not answered by then is given up here as well, wherever it is, and the next hop is told what is left.
extension Exchange {
  /// Whether the request has a field that tells of a deadline, or may have.
  @inline(__always)
  func mayHaveDeadline(_ present: KnownHeaderSet, _ router: RouterRuntime) -> Bool {
    !present.isDisjoint(with: [.l5dCtxDeadline, .grpcTimeout]) || router.timeoutHeader != nil
  }

  /// Takes over the request's deadline; what to say if it has passed already. Values that are none are passed on and
  /// have no effect, as in linkerd.
  func readDeadline(
    _ request: inout RequestHead, _ head: UnsafeRawBufferPointer, _ settings: ServerRuntime
  ) -> String? {
    var left = UInt64.max
    if !settings.clearContext, request.index(of: .l5dCtxDeadline) != nil {
      let wall = Clock.wallNanoseconds
      for field in request.fields where field.id == .l5dCtxDeadline {
        guard let at = ContextDeadline.nanoseconds(head[field.value]) else { continue }
        if at <= wall { return "l5d-ctx-deadline was over \((wall - at) / 1_000_000) ms ago when the request came." }
        left = min(left, at - wall)
      }
    }
    if let value = request.value(of: .grpcTimeout), let timeout = GRPC.timeout(head[value]) {
      if timeout == 0 { return "grpc-timeout is 0." }
      left = min(left, timeout)
      deadlineIsOfCall = true
    }
    if let header = settings.router.timeoutHeader, let value = header.value(&request, head),
      let milliseconds = ContextDeadline.number(value)
    {
      if milliseconds == 0 { return "The time-out that the request names is 0." }
      let (nanoseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
      if !overflow { left = min(left, nanoseconds) }
    }
    // Nobody waits for years, and the clock's arithmetic needs room.
    guard left < Self.deadlineMax else {
      deadlineIsOfCall = false
      return nil
    }
    let deadline = now.advanced(byNanoseconds: left)
    self.deadline = deadline
    deadlineTimer = worker.loop.schedule(self, tag: Self.deadlineTag, at: deadline)
    return nil
  }

  private static var deadlineMax: UInt64 { 86_400_000_000_000 * 30 }

  /// `timeoutHeader` is for this router; the next one reads a deadline, so that no time is counted twice.
  func appendDeadline(_ present: KnownHeaderSet, to out: ByteBuffer) {
    guard let deadline, !deadlineIsOfCall, !present.contains(.l5dCtxDeadline) else { return }
    let wall = Clock.wallNanoseconds
    out.append("l5d-ctx-deadline: ")
    out.append(decimal: wall)
    out.append(" ")
    out.append(decimal: wall + deadline.nanoseconds(since: now))
    out.append("\r\n")
  }

  /// What is left for the call, when it is sent: less with each hop and each retry.
  func appendCallTimeout() {
    guard let deadline else { return }
    requestHead.append("grpc-timeout: ")
    GRPC.append(timeout: max(1, deadline <= now ? 0 : deadline.nanoseconds(since: now)), to: requestHead)
    requestHead.append("\r\n")
  }

  func forgetDeadline() {
    disarm(&deadlineTimer)
    deadline = nil
    deadlineIsOfCall = false
  }
}

/// The value of `l5d-ctx-deadline`: two decimal numbers, the time when it was written and the deadline, both in
/// nanoseconds since the epoch.
enum ContextDeadline {
  /// The deadline; nil if the value is malformed.
  static func nanoseconds(_ value: UnsafeRawBufferPointer) -> UInt64? {
    guard let blank = value.firstIndex(of: 0x20) else { return nil }
    guard number(UnsafeRawBufferPointer(rebasing: value[..<blank])) != nil else { return nil }
    return number(UnsafeRawBufferPointer(rebasing: value[(blank + 1)...]))
  }

  /// A decimal number without sign; nil if it is none, or has more digits than a time.
  static func number(_ value: UnsafeRawBufferPointer) -> UInt64? {
    guard !value.isEmpty, value.count <= 19 else { return nil }
    var number: UInt64 = 0
    for byte in value {
      let digit = byte &- 0x30
      if digit > 9 { return nil }
      number = number * 10 + UInt64(digit)
    }
    return number
  }
}
