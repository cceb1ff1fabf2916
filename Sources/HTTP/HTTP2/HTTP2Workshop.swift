import MeshBase

/// What sessions need only while they read or write a head: one for all sessions of a worker, so that an idle connection
/// owns none of it. Confined to one worker.
public final class HTTP2Workshop {
  let writer = HTTP2HeadWriter()
  /// Sessions that may be parked.
  package let awake = AwakeList<HTTP2Session>()
  private var readers = ObjectPool<HTTP2HeadReader>()

  /// Readers kept; more are in use only while that many field sections come in at a time, in pieces.
  static let readersMax = 16

  public init() {}

  deinit { readers.trim(to: 0) }

  func takeReader() -> Unretained<HTTP2HeadReader> { readers.take { HTTP2HeadReader() } }

  func giveBack(_ reader: HTTP2HeadReader) {
    readers.giveBack(reader)
    readers.trim(to: HTTP2Workshop.readersMax)
  }
}
