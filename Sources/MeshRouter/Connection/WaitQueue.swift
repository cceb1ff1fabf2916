/// Exchanges that wait for a connection, the first to come first. Taking the first moves no others: a burst may leave
/// thousands here, which are then served one by one.
struct WaitQueue {
  private var exchanges: [Exchange?] = []
  /// Places before it are empty; so are those of exchanges that gave up.
  private var start = 0
  private(set) var count = 0

  var isEmpty: Bool { count == 0 }

  mutating func append(_ exchange: Exchange) {
    exchanges.append(exchange)
    count += 1
  }

  /// The first, which stays. Not empty.
  mutating func first() -> Exchange {
    precondition(count > 0, "nobody waits")
    while true {
      if let exchange = exchanges[start] { return exchange }
      start += 1
    }
  }

  /// Not empty.
  mutating func removeFirst() -> Exchange {
    let exchange = first()
    exchanges[start] = nil
    start += 1
    count -= 1
    if count == 0 {
      exchanges.removeAll(keepingCapacity: start <= Self.keptCapacity)
      start = 0
    } else if start > exchanges.count / 2 {
      exchanges.removeFirst(start)
      start = 0
    }
    return exchange
  }

  /// True if it waited here.
  mutating func remove(_ exchange: Exchange) -> Bool {
    guard let index = exchanges[start...].firstIndex(where: { $0 === exchange }) else { return false }
    exchanges[index] = nil
    count -= 1
    // Those behind a first one that waits long must not leave ever more empty places.
    if exchanges.count > 2 * count + Self.keptCapacity || count == 0 {
      exchanges.removeAll { $0 == nil }
      start = 0
    }
    return true
  }

  /// All of them, in order; the queue is empty then.
  mutating func removeAll() -> [Exchange] {
    let all = exchanges.compactMap(\.self)
    self = WaitQueue()
    return all
  }

  /// Places that an empty queue keeps.
  private static let keptCapacity = 1_024
}
