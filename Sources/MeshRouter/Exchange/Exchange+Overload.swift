import HTTP
import MeshBase
import Net
import Resilience

// Where a request may be turned away, or has to wait, because there are too many: at its server's rates and places, at
// its name's rates, at its client's concurrency limit.

/// Where an exchange stands with these limits.
struct Passage {
  enum Place: Equatable {
    case none
    /// One of the server's places is this exchange's.
    case held
    case awaited(SharedGate.Ticket)
  }

  /// Anything below is set.
  var isBegun = false
  var place = Place.none
  /// Class of importance; 0 is the highest.
  var importance = 0
  /// Of each limit that the class may use.
  var share = 1.0
  /// The request's name, while it waits for its server; pooled.
  var key: ByteBuffer?
  /// In the line of its client.
  var clientTicket: UInt64?
  var hasClientPlace = false
  var timer = TimerID.none
  /// Nanoseconds after which the caller may come again.
  var retryAfter: UInt64?
}

extension Exchange {
  static var placeTag: UInt8 { 16 }
  static var clientPlaceTag: UInt8 { 17 }

  // MARK: The server

  /// Whether the request goes on; it may have to wait when its name is known. If not, it has been answered.
  func passes(_ admission: Admission, _ head: UnsafeRawBufferPointer) -> Bool {
    passage.isBegun = true
    (passage.importance, passage.share) = admission.importance(of: &worker.requestHead, head)
    if let refusal = admission.take(&worker.requestHead, head, at: now) {
      isRateLimited(by: refusal.owner, wait: refusal.wait)
      return false
    }
    guard let gate = admission.gate else { return true }
    let ticket = SharedGate.Ticket(worker: worker.index, number: worker.ticket(), importance: passage.importance)
    switch gate.enter(ticket, share: passage.share, at: now) {
    case .entered: passage.place = .held
    case .refused:
      fail(.serverMaxConnections, detail: "maxConcurrentRequests is \(gate.max).")
      return false
    case .waits(let nanoseconds):
      passage.place = .awaited(ticket)
      worker.park(ticket.number, self)
      settings { $0.stats.requestQueued() }
      passage.timer = worker.loop.schedule(self, tag: Self.placeTag, at: now.advanced(byNanoseconds: nanoseconds))
    }
    return true
  }

  /// Whether the request, whose name is known now, has to wait for a place.
  func waitsForPlace(_ key: ByteBuffer) -> Bool {
    guard passage.isBegun, case .awaited = passage.place else { return false }
    let copy = worker.takeBuffer()
    copy.append(key.readable)
    passage.key = copy
    return true
  }

  /// A place is this exchange's from now on, or it had to make room for a more important one.
  func placeDecided(isGranted: Bool) {
    settings { $0.stats.requestLeftQueue() }
    disarm(&passage.timer)
    guard isGranted else {
      passage.place = .none
      return fail(.serverMaxConnections, detail: "More important requests took its place among those that wait.")
    }
    passage.place = .held
    guard let key = passage.key else { return }
    worker.keyScratch.removeAll()
    worker.keyScratch.append(key.readable)
    passage.key = nil
    worker.giveBack(key)
    perform(machine.handle(.identified))
  }

  private func placeTimedOut() {
    guard case .awaited(let ticket) = passage.place, cancel(ticket) else { return }
    passage.place = .none
    let most = settings { $0.admission?.gate?.max ?? 0 } ?? 0
    fail(
      .serverMaxConnections,
      detail: "It waited for one of the \(most) places of maxConcurrentRequests as long as requestQueue allows.")
  }

  /// False: a place has been granted meanwhile; the worker is about to hear of it.
  private func cancel(_ ticket: SharedGate.Ticket) -> Bool {
    guard settings({ $0.admission?.gate?.cancel(ticket) ?? true }) == true else { return false }
    if worker.forget(ticket.number) { settings { $0.stats.requestLeftQueue() } }
    return true
  }

  // MARK: Rates

  func isRateLimited(by owner: String, wait: UInt64) {
    passage.isBegun = true
    passage.retryAfter = wait
    fail(.pickRateLimited, detail: "By \(owner); try again in \((wait + 999_999) / 1_000_000) ms.")
  }

  // MARK: The client

  /// Whether an attempt may begin. If not, the request has been answered, or it waits and hears of it.
  func hasPlaceAtClient() -> Bool {
    if passage.hasClientPlace {
      passage.hasClientPlace = false
      return true
    }
    guard let gate = client({ $0.gate }) ?? nil else { return true }
    // A second attempt at what is under way already, or a copy, is what matters least, and does not wait.
    let waits = !isBackup && !isCopy
    let importance = waits ? passage.importance : gate.leastImportant
    if gate.mayBegin(class: importance) { return true }
    if !waits {
      perform(machine.handle(.failed(.pickOverload)))
      return false
    }
    passage.isBegun = true
    let ticket = worker.ticket()
    switch gate.arrive(ticket, class: importance) {
    case .refused:
      shed(by: gate)
      return false
    case .waitsInsteadOf(let other, let nanoseconds):
      waitsInLine(ticket, nanoseconds)
      worker.take(other) { $0.clientPlaceIsLost() }
    case .waits(let nanoseconds): waitsInLine(ticket, nanoseconds)
    }
    return false
  }

  private func waitsInLine(_ ticket: UInt64, _ nanoseconds: UInt64) {
    worker.park(ticket, self)
    passage.clientTicket = ticket
    passage.timer = worker.loop.schedule(self, tag: Self.clientPlaceTag, at: now.advanced(byNanoseconds: nanoseconds))
  }

  /// An attempt of others has ended, and this one is to begin.
  func clientPlaceIsFree() {
    passage.clientTicket = nil
    disarm(&passage.timer)
    passage.hasClientPlace = true
    pick()
    passage.hasClientPlace = false
  }

  private func clientPlaceIsLost() {
    passage.clientTicket = nil
    disarm(&passage.timer)
    client { if let gate = $0.gate { shed(by: gate) } }
  }

  private func leaveClientLine() {
    guard let ticket = passage.clientTicket else { return }
    passage.clientTicket = nil
    _ = worker.forget(ticket)
    let importance = passage.importance
    client { _ = $0.gate?.cancel(ticket, class: importance) }
  }

  private func shed(by gate: ClientGate) {
    client { $0.stats.requestShed() }
    fail(.pickOverload, detail: "The client's concurrencyLimit is \(gate.max) attempts on this worker.")
  }

  // MARK: Time and the end

  func passageTimedOut(_ tag: UInt8) {
    passage.timer = .none
    if tag == Self.placeTag { return placeTimedOut() }
    leaveClientLine()
    client { if let gate = $0.gate { shed(by: gate) } }
  }

  /// The exchange is over: gives back what it holds, and waits no longer.
  func leavePassage() {
    disarm(&passage.timer)
    leaveClientLine()
    switch passage.place {
    case .none: break
    case .held: settings { $0.admission?.gate?.leave(at: now) }
    case .awaited(let ticket):
      // A place that is on its way to the worker is given back there, as nobody awaits it.
      if !cancel(ticket), worker.forget(ticket.number) { settings { $0.stats.requestLeftQueue() } }
    }
    if let key = passage.key { worker.giveBack(key) }
    passage = Passage()
  }
}
