/// How a Marathon namer finds out.
public enum MarathonMode: String, Sendable, CaseIterable {
  /// Only apps that somebody asks for; the event stream tells when to ask again.
  case lazy
  /// All apps, in one answer at the start; the event stream tells of changes.
  case eager
  /// Only apps that somebody asks for, again and again; no event stream.
  case poll
}

public struct MarathonOptions: Sendable {
  public var mode = MarathonMode.lazy
  public var health = MarathonHealthPolicy.fresh
  /// What stands before `/v2` in Marathon's paths; empty or begins with `/`.
  public var uriPrefix = ""
  /// Poll mode: between two answers for one app.
  public var pollMilliseconds: UInt64 = 5_000
  /// Spread evenly around `pollMilliseconds`, so that hosts do not ask all at once.
  public var jitterMilliseconds: UInt64 = 500
  /// The event stream is dead after so long without a byte; Marathon sends an empty line about every ten seconds.
  public var silenceMilliseconds: UInt64 = 45_000
  /// Between two looks at everything that is in use, events or not; a fifth of it is left to chance.
  public var resyncMilliseconds: UInt64 = 600_000
  /// How long "there is no such app" is believed without an event.
  public var absentMilliseconds: UInt64 = 30_000
  /// An app that nobody asks for any more is forgotten after so long.
  public var idleMilliseconds: UInt64 = 600_000
  /// Answers for single apps that are waited for at a time.
  public var pullsMax = 4
  /// Before the same app is asked for again; doubles while it keeps changing.
  public var restMilliseconds: UInt64 = 100
  public var restMillisecondsMax: UInt64 = 5_000
  /// Waits between attempts while Marathon is away.
  public var reconnect = ReconnectDelay(firstMilliseconds: 1_000, longestMilliseconds: 30_000)
  public var seed: UInt64 = 0

  public init() {}
}
