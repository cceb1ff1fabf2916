import MeshBase

/// One endpoint as the network shows it: what becomes of a connection and of a request depends on its mood.
struct SimulatedBackend {
  enum Mood: CaseIterable {
    case healthy
    case slow
    /// Nobody listens.
    case refusing
    /// Connections are neither taken nor refused.
    case unreachable
    case failing
    /// A bit of everything.
    case flaky
    /// Breaks connections off.
    case resetting
    case hanging
    /// As an HTTP/2 server that shuts down: takes no more streams.
    case leaving
  }

  enum ConnectFate { case connected, refused, timeOut }

  /// What comes of a request that was sent. Times are nanoseconds from then.
  enum Fate {
    case answer(status: Int, head: UInt64, end: UInt64)
    /// The connection breaks; `amidHead`: a part of a head has come.
    case lost(after: UInt64, amidHead: Bool)
    /// The head is there, and then the connection breaks.
    case cut(head: UInt64, after: UInt64)
    /// What comes is no response.
    case garbage(after: UInt64)
    /// Surely not processed.
    case refused(after: UInt64, connectionIsLeaving: Bool)
    case hang
  }

  let port: UInt16
  var mood = Mood.healthy

  func connect(_ random: inout SeededRandom) -> ConnectFate {
    switch mood {
    case .refusing: .refused
    case .unreachable: .timeOut
    case .flaky: random.below(4) == 0 ? .refused : .connected
    default: .connected
    }
  }

  func serve(_ random: inout SeededRandom) -> Fate {
    switch mood {
    case .healthy: good(&random, from: 200_000)
    case .slow: good(&random, from: 40_000_000)
    // Connections from before still stand.
    case .refusing, .resetting: .lost(after: wait(&random), amidHead: random.below(3) == 0)
    case .unreachable, .hanging: .hang
    case .failing: .answer(status: 503, head: wait(&random), end: 2 * wait(&random))
    case .leaving: .refused(after: wait(&random), connectionIsLeaving: random.below(2) == 0)
    case .flaky:
      switch random.below(8) {
      case 0: .answer(status: 500, head: wait(&random), end: wait(&random))
      case 1: .lost(after: wait(&random), amidHead: random.below(2) == 0)
      case 2: .cut(head: wait(&random), after: wait(&random))
      case 3: .garbage(after: wait(&random))
      case 4: .refused(after: wait(&random), connectionIsLeaving: random.below(2) == 0)
      case 5: .hang
      default: good(&random, from: 1_000_000)
      }
    }
  }

  private func good(_ random: inout SeededRandom, from least: UInt64) -> Fate {
    let head = least + UInt64(random.below(Int(least)))
    return .answer(status: random.below(20) == 0 ? 404 : 200, head: head, end: head + wait(&random))
  }

  /// At times none at all, so that all comes in one turn.
  private func wait(_ random: inout SeededRandom) -> UInt64 {
    random.below(4) == 0 ? 0 : UInt64(random.below(5_000_000))
  }
}
