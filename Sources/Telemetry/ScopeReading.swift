import MeshBase

/// Reading one scope across its workers. Every word is a sum, but for those of `ClientStats` about the endpoint set.
extension Scope {
  func sum(_ word: Int) -> UInt64 { words.sum(word) }
  func sum(_ range: Range<Int>) -> UInt64 { words.sum(range) }
  func largest(_ word: Int) -> UInt64 { words.largest(word) }

  /// A gauge that workers raise and lower; its words' sum is signed.
  func gauge(_ word: Int) -> Int { Int(truncatingIfNeeded: sum(word)) }
}

extension Scope where Stats == ServerStats {
  var failures: UInt64 {
    sum(ServerStats.Word.unexplained) &+ sum(ServerStats.Word.reasons..<ServerStats.Word.reasons + ReasonWords.count)
  }
  var requests: UInt64 { sum(ServerStats.Word.success) &+ failures }
}

extension Scope where Stats == ServiceStats {
  var failures: UInt64 {
    sum(ServiceStats.Word.unexplained) &+ sum(ServiceStats.Word.reasons..<ServiceStats.Word.reasons + ReasonWords.count)
  }
  var requests: UInt64 { sum(ServiceStats.Word.success) &+ failures }
}

extension Scope where Stats == ClientStats {
  var failures: UInt64 {
    sum(ClientStats.Word.unexplained) &+ sum(ClientStats.Word.reasons..<ClientStats.Word.reasons + ReasonWords.count)
  }
  var requests: UInt64 { sum(ClientStats.Word.success) &+ failures }
}

extension Scope where Stats == ClientStats {
  /// Endpoints by state. Each worker balances over the same set but ejects by what it sees itself; shown is the worst
  /// view, since that is the one to look into.
  var endpoints: (ok: UInt64, ejected: UInt64, probing: UInt64) {
    let count = largest(ClientStats.Word.endpoints)
    let ejected = min(count, largest(ClientStats.Word.ejected))
    let probing = min(count - ejected, largest(ClientStats.Word.probing))
    return (count - ejected - probing, ejected, probing)
  }
}
