import MeshBase
import Net

// Requests of this worker that wait for a place, and what it does when descriptors or memory are short.
extension Worker {
  // MARK: Waiting

  /// A number for something that waits, unique on this worker.
  func ticket() -> UInt64 {
    lastTicket += 1
    return lastTicket
  }

  /// The exchange waits for what becomes of the ticket: `take` or `forget` follows before it is used otherwise.
  func park(_ ticket: UInt64, _ exchange: Exchange) { awaiting[ticket] = Unretained(exchange) }

  /// True if somebody waited.
  func forget(_ ticket: UInt64) -> Bool { awaiting.removeValue(forKey: ticket) != nil }

  /// Tells whoever waits, if somebody still does.
  @discardableResult
  func take(_ ticket: UInt64, _ body: (Exchange) -> Void) -> Bool {
    guard let exchange = awaiting.removeValue(forKey: ticket) else { return false }
    exchange(body)
    return true
  }

  func placeDecided(_ gate: SharedGate, _ ticket: UInt64, isGranted: Bool) {
    let isAwaited = take(ticket) { $0.placeDecided(isGranted: isGranted) }
    if !isAwaited, isGranted { gate.leave(at: loop.now) }
  }

  // MARK: Shortages

  /// Reports are for people: not more than one of them a second.
  private func mayTellShortage() -> Bool {
    if let last = shortageToldAt, loop.now.nanoseconds(since: last) < 1_000_000_000 { return false }
    shortageToldAt = loop.now
    return true
  }

  /// A server has stopped accepting for a moment, for this reason.
  func acceptPaused(_ address: SocketAddress, errno code: Int32) {
    if mayTellShortage() { tellControl(.acceptPaused(address, errno: code)) }
    relieve()
  }

  /// No connection could be made to an endpoint for want of descriptors.
  func descriptorsAreShort(_ client: Client) {
    if mayTellShortage() { tellControl(.connectsStarved(router: client.router.index, client: client.name)) }
    relieve()
  }

  /// Closes idle connections when all else of this turn is done, but not in each turn.
  private func relieve() {
    if let last = relievedAt, loop.now.nanoseconds(since: last) < Relief.pauseNanoseconds { return }
    relievedAt = loop.now
    loop.deferToEndOfTurn(relief)
  }

  /// Of each pool the half that has been idle for longer.
  func closeIdleConnections() { for router in routers { router.closeIdleConnections() } }

  func memoryChanged(isShort: Bool) {
    isShortOfMemory = isShort
    if isShort {
      dropFreeBuffers()
      closeIdleConnections()
    } else {
      for listener in listeners { listener.resume() }
    }
  }
}

/// Gives descriptors back at the end of a turn.
final class Relief: TimerOwner {
  unowned(unsafe) var worker: Worker!
  static let pauseNanoseconds: UInt64 = 100_000_000

  override func timerFired(_ tag: UInt8, now: MonotonicInstant) { worker.closeIdleConnections() }
}
