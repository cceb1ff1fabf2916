import Net

/// What a fake scheduler was asked for and what it sent. Confined to the control thread.
@ControlActor
public final class TrafficLog {
  public struct Entry: Sendable, Equatable {
    public var requests = 0
    /// Of bodies, as far as they were written.
    public var bytes = 0

    public init(requests: Int = 0, bytes: Int = 0) {
      self.requests = requests
      self.bytes = bytes
    }
  }

  /// By method and path without the query, such as `GET /v2/apps`.
  public private(set) var entries: [String: Entry] = [:]
  /// Every request with its query, oldest first; the first so many.
  public private(set) var requests: [String] = []
  private static let requestsMax = 10_000

  public init() {}

  func request(_ request: ControlRequest) -> String {
    let key = "\(request.method) \(request.path)"
    entries[key, default: Entry()].requests += 1
    if requests.count < Self.requestsMax {
      let query = request.query.pairs.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
      requests.append(query.isEmpty ? key : "\(key)?\(query)")
    }
    return key
  }

  func sent(_ bytes: Int, for key: String) { entries[key, default: Entry()].bytes += bytes }

  /// What paths that begin so were asked for and sent.
  public func total(_ pathPrefix: String = "/", except: String? = nil) -> Entry {
    var sum = Entry()
    for (key, entry) in entries {
      let path = key.drop { $0 != " " }.dropFirst()
      if path.hasPrefix(pathPrefix), except.map({ !path.hasPrefix($0) }) ?? true {
        sum.requests += entry.requests
        sum.bytes += entry.bytes
      }
    }
    return sum
  }

  /// Bytes of event streams.
  public var streamBytes: Int { entries["GET /v2/events"]?.bytes ?? 0 }

  public func reset() {
    entries = [:]
    requests = []
  }
}
