/// What sessions need only while they read or write a head: one for all sessions of a worker, so that an idle connection
/// owns none of it. Confined to one worker.
public final class HTTP2Workshop {
  let writer = HTTP2HeadWriter()
  private var readers: [HTTP2HeadReader] = []

  /// Readers kept; more are in use only while that many field sections come in at a time, in pieces.
  static let readersMax = 16

  public init() {}

  func takeReader() -> HTTP2HeadReader { readers.popLast() ?? HTTP2HeadReader() }

  func giveBack(_ reader: HTTP2HeadReader) {
    if readers.count < HTTP2Workshop.readersMax { readers.append(reader) }
  }
}
