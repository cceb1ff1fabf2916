import MeshBase

/// Reading one scope across its workers. Every word is a sum, but for those of `ClientStats` about the endpoint set.
extension Scope {
  func sum(_ word: Int) -> UInt64 {
    var total: UInt64 = 0
    for block in blocks { total &+= block.load(word) }
    return total
  }

  func sum(_ words: Range<Int>) -> UInt64 {
    var total: UInt64 = 0
    for word in words { total &+= sum(word) }
    return total
  }

  /// A gauge that workers raise and lower; its words' sum is signed.
  func gauge(_ word: Int) -> Int { Int(truncatingIfNeeded: sum(word)) }

  func largest(_ word: Int) -> UInt64 {
    var most: UInt64 = 0
    for block in blocks { most = max(most, block.load(word)) }
    return most
  }
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
