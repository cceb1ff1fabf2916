import MeshBase

/// Decides what happens next in one exchange; touches nothing, reads no clock.
///
/// `Exchange` tells it what happened (`Event`) and carries out what it answers (`Action`). All rules about sending a
/// request again live here: a request goes out again only if it surely was not processed, or if its method is
/// idempotent (RFC 9110 §9.2.2), or if the service's classifier calls its failure one that may be retried; in any case
/// only while its body can be sent again from its first byte, and nothing of a response has been passed on.
struct ExchangeMachine {
  enum State: Equatable {
    case identifying
    case binding
    case picking
    case connecting
    /// The request is on its way; nothing of a final response has been seen.
    case awaitingResponse
    /// The last attempt failed and the request goes out again after a while.
    case backingOff
    /// The final response's head has been passed on.
    case relaying
    case tunnelling
    case ended
  }

  enum Event {
    case identified
    /// The name is bound and a branch drawn.
    case bound
    case picked
    case connected(reused: Bool)
    /// The connection could not be made, so nothing was sent.
    case connectFailed(Reason)
    /// A body byte was taken from the caller and not kept: from here on the request cannot be repeated from memory.
    case bodyConsumed
    case responseBegan
    /// The attempt failed in a way that may be retried, `mayRetry` was true, and the service's budget has paid.
    case retry
    case backOffIsOver
    case tunnelOpened
    /// The backend closed or reset the connection.
    case backendLost
    /// The backend did not process the request and said so (RFC 9113 §8.7). `connectionIsLeaving`: its connection takes
    /// no more requests at all, so another one to the same endpoint may do.
    case refused(connectionIsLeaving: Bool)
    /// Request and response are both complete.
    case completed
    /// Whatever the stage: the exchange cannot go on, for this reason.
    case failed(Reason)
  }

  enum Action: Equatable {
    case bind
    case pick
    case connect
    case send
    /// Pick again, avoiding the endpoint that was tried; costs the client's requeue budget.
    case requeue(after: Reason)
    /// Send again at once on a new connection to the same endpoint: the pooled one was stale.
    case resend
    /// Wait before picking again.
    case backOff
    case wait
    /// Answer the caller by ourselves.
    case answer(Reason)
    /// Part of a response is out already: cut it off so that nobody takes it for whole.
    case breakOff(Reason)
    case finish
  }

  /// Re-queues of one request, whatever its budget would allow.
  static let requeuesMax = 20
  /// Retries of one request, whatever its budget would allow.
  static let retriesMax = 20

  private(set) var state = State.identifying
  private(set) var requeues = 0
  private(set) var retries = 0
  /// The connection now in use had served an exchange before this one.
  private(set) var isOnReusedConnection = false
  private(set) var hasResent = false
  private var isIdempotent: Bool
  private var bodyIsUntouched = true

  /// A part of the final response has come.
  var hasResponse: Bool { state == .relaying || state == .tunnelling }

  /// Whether the request could go out again, should the attempt that is out have failed.
  var mayRetry: Bool { state == .awaitingResponse && bodyIsUntouched && retries < Self.retriesMax }

  /// Whether the loss of the connection now would only mean that it was stale.
  var wouldResend: Bool {
    state == .awaitingResponse && isOnReusedConnection && isIdempotent && bodyIsUntouched && !hasResent
  }

  init(isIdempotent: Bool) { self.isIdempotent = isIdempotent }

  mutating func handle(_ event: Event) -> Action {
    switch (state, event) {
    case (.ended, _):
      return .wait
    case (.identifying, .identified):
      state = .binding
      return .bind
    case (.binding, .bound):
      state = .picking
      return .pick
    case (.picking, .picked):
      state = .connecting
      return .connect
    case (.connecting, .connected(let reused)):
      state = .awaitingResponse
      isOnReusedConnection = reused
      return .send
    case (.connecting, .connectFailed(let reason)):
      guard requeues < Self.requeuesMax else { return end(.answer(reason)) }
      requeues += 1
      state = .picking
      return .requeue(after: reason)
    case (.awaitingResponse, .bodyConsumed):
      bodyIsUntouched = false
      return .wait
    case (.awaitingResponse, .responseBegan):
      state = .relaying
      return .wait
    case (.awaitingResponse, .retry):
      guard mayRetry else { return .wait }
      retries += 1
      hasResent = false
      state = .backingOff
      return .backOff
    case (.backingOff, .backOffIsOver):
      state = .picking
      return .pick
    case (.awaitingResponse, .tunnelOpened), (.connecting, .tunnelOpened):
      state = .tunnelling
      return .wait
    case (.awaitingResponse, .backendLost):
      // Only a pooled connection can be stale: on a new one the backend took the request and then failed.
      if wouldResend {
        hasResent = true
        state = .connecting
        return .resend
      }
      return end(.answer(.relayResetByServer))
    case (.awaitingResponse, .refused(let connectionIsLeaving)):
      guard bodyIsUntouched, requeues < Self.requeuesMax else { return end(.answer(.relayRefused)) }
      requeues += 1
      if connectionIsLeaving {
        state = .connecting
        return .resend
      }
      state = .picking
      return .requeue(after: .relayRefused)
    case (.relaying, .refused):
      return end(.breakOff(.relayRefused))
    case (.relaying, .backendLost):
      return end(.breakOff(.relayResetByServer))
    case (.tunnelling, .backendLost), (_, .completed):
      return end(.finish)
    case (.relaying, .failed(let reason)), (.tunnelling, .failed(let reason)):
      return end(.breakOff(reason))
    case (_, .failed(let reason)):
      return end(.answer(reason))
    default:
      return .wait
    }
  }

  /// An attempt of another exchange of the same request goes on here.
  mutating func tookOver(_ other: ExchangeMachine) {
    isOnReusedConnection = other.isOnReusedConnection
    hasResent = other.hasResent
  }

  /// The requeue that `handle` asked for was refused by the budget, or there is nowhere else to go.
  mutating func requeueRefused(_ reason: Reason) -> Action { end(.answer(reason)) }

  private mutating func end(_ action: Action) -> Action {
    state = .ended
    return action
  }
}
