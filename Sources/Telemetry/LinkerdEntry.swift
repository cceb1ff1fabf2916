import MeshBase

/// A path below a scope in linkerd's reports, `retries/budget`; its bytes need no escaping in JSON.
struct MetricPath: Sendable {
  let parts: [[UInt8]]
  let joined: [UInt8]

  init(_ path: String) {
    joined = Array(path.utf8)
    parts = path.split(separator: "/").map { Array($0.utf8) }
  }

  /// The scope itself.
  static let none = MetricPath("")
}

/// One line of a scope in linkerd's reports: where it stands under the scope, and how it is read.
struct LinkerdEntry<Stats: ScopeStats>: Sendable {
  enum Source: Sendable {
    /// The sum of these words; as a gauge it is signed.
    case words([Int])
    case derived(@Sendable (Scope<Stats>) -> UInt64)
    /// Index into `Stats.histograms`; shown in units of 10^decimals of the scale's.
    case stat(Int, decimals: Int)
  }

  let path: MetricPath
  let source: Source
  let isGauge: Bool
  /// Shown only once it has counted: there are many such names, and few occur.
  let isRare: Bool
  /// The reason word of a line under `failures`, a label in the Prometheus form.
  let reason: String?

  private init(_ path: String, _ source: Source, isGauge: Bool, isRare: Bool, reason: String?) {
    self.path = MetricPath(path)
    self.source = source
    self.isGauge = isGauge
    self.isRare = isRare
    self.reason = reason
  }

  static func counter(_ path: String, _ words: Int..., isRare: Bool = false, reason: String? = nil) -> Self {
    Self(path, .words(words), isGauge: false, isRare: isRare, reason: reason)
  }
  static func counter(_ path: String, from read: @escaping @Sendable (Scope<Stats>) -> UInt64) -> Self {
    Self(path, .derived(read), isGauge: false, isRare: false, reason: nil)
  }
  static func gauge(_ path: String, _ word: Int) -> Self {
    Self(path, .words([word]), isGauge: true, isRare: false, reason: nil)
  }
  static func gauge(_ path: String, from read: @escaping @Sendable (Scope<Stats>) -> UInt64) -> Self {
    Self(path, .derived(read), isGauge: true, isRare: false, reason: nil)
  }
  static func stat(_ path: String, _ histogram: Int, decimals: Int) -> Self {
    Self(path, .stat(histogram, decimals: decimals), isGauge: false, isRare: false, reason: nil)
  }

  /// Of HTTP/2, from the words that begin at `base`: streams that are open, and resets by whoever sent them.
  static func streams(_ base: Int) -> [Self] {
    let codes = 0..<HTTP2Words.codeCount
    return [
      gauge("stream/open_streams", base + HTTP2Words.streams),
      Self(
        "stream/remote_resets", .words(codes.map { base + HTTP2Words.remoteResets + $0 }), isGauge: false, isRare: true,
        reason: nil),
      Self(
        "stream/local_resets", .words(codes.map { base + HTTP2Words.localResets + $0 }), isGauge: false, isRare: true,
        reason: nil),
    ]
  }

  /// `failures` by reason.
  static func reasons(_ base: Int) -> [Self] {
    Reason.allCases.map {
      counter("failures/\($0.rawValue)", base + $0.ordinal, isRare: true, reason: $0.rawValue)
    }
  }

  /// `status/200`, `status/2XX` and `status/error`, from the status words that begin at each of `bases`.
  static func statuses(_ bases: [Int]) -> [Self] {
    let codes = StatusWords.exact.enumerated().map { word, code in
      Self("status/\(code)", .words(bases.map { $0 + word }), isGauge: false, isRare: true, reason: nil)
    }
    let classes = (0...5).map { place in
      let words = StatusWords.classes.indices.filter { StatusWords.classes[$0] == place }
      return Self(
        place == 0 ? "status/error" : "status/\(place)XX",
        .words(bases.flatMap { base in words.map { base + $0 } }), isGauge: false, isRare: true, reason: nil)
    }
    return codes + classes
  }
}
