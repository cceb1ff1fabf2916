import Logging
import MeshBase
import Net

/// Logs TLS handshakes that came to nothing: the first of each kind in full, then how many more there were, so that a
/// scanner or a wrong certificate fills no disk.
@ControlActor
final class HandshakeLog {
  private struct Kind: Hashable {
    var name: String
    var word: String
  }

  private struct Silence {
    var until: MonotonicInstant
    var count = 0
  }

  private var silences: [Kind: Silence] = [:]
  private let log = Logger(label: "tls")
  private static let silenceMilliseconds: UInt64 = 10_000
  private static let kindsMax = 1_000

  /// `name`: a server's address, or a client's bound id.
  func failed(peer: SocketAddress?, name: String, word: String, text: String) {
    let kind = Kind(name: name, word: word)
    let now = Clock.now
    if var silence = silences[kind], now < silence.until {
      silence.count += 1
      silences[kind] = silence
      return
    }
    let missed = silences[kind]?.count ?? 0
    if silences.count >= Self.kindsMax { silences.removeAll() }
    silences[kind] = Silence(until: now.advanced(byMilliseconds: Self.silenceMilliseconds))
    log.warning(
      "handshake failed",
      metadata: [
        "with": "\(peer.map(\.description) ?? "unknown")", "at": "\(name)", "why": "\(word)", "problem": "\(text)",
        "moreSinceLast": "\(missed)",
      ])
  }
}
