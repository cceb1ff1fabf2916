import Dtab
import Foundation
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

/// A directory of its own, removed at the end.
final class TemporaryDirectory: Sendable {
  let path: String

  init() {
    // Without symbolic links and short.
    path = "/tmp/namers-\(UUID().uuidString)"
    try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func makeDirectory(_ name: String) {
    try! FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
  }

  /// Writes beside the file and renames.
  func replace(_ name: String, _ text: String) {
    let temporary = "\(path)/.\(UUID().uuidString)"
    write(temporary, text)
    rename(temporary, "\(path)/\(name)")
  }

  /// Truncates and writes, as `cat >` does.
  func overwrite(_ name: String, _ text: String) { write("\(path)/\(name)", text) }

  func remove(_ name: String) { try! FileManager.default.removeItem(atPath: "\(path)/\(name)") }

  private func write(_ path: String, _ text: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    precondition(descriptor >= 0, "\(path): \(errno)")
    let bytes = Array(text.utf8)
    precondition(Foundation.write(descriptor, bytes, bytes.count) == bytes.count)
    close(descriptor)
  }
}

@ControlActor
func offlineResolver() -> Resolver {
  var options = Resolver.Options()
  // Nobody listens there: what asks DNS fails at once.
  options.servers = [SocketAddress("127.0.0.1:1")!]
  options.attemptTimeoutMilliseconds = 50
  options.attempts = 1
  return Resolver(options: options)
}

extension DnsServer {
  /// Asks this server alone, often, and gives up soon.
  @ControlActor
  func resolver(hosts: String = "/dev/null", _ change: (inout Resolver.Options) -> Void = { _ in }) -> Resolver {
    var options = Resolver.Options()
    options.servers = [address]
    options.hostsPath = hosts
    options.ttlMillisecondsMin = 40
    options.negativeTTLMilliseconds = 40
    options.retryMilliseconds = 20
    options.attemptTimeoutMilliseconds = 150
    options.attempts = 1
    options.dropsUnreachableIPv6 = false
    change(&options)
    return Resolver(options: options)
  }
}

extension NameLookup {
  /// The bound name, if the answer is one.
  var bound: BoundName? { if case .tree(.leaf(.bound(let bound))) = state { bound } else { nil } }
  var isNeg: Bool { state == .tree(.neg) }
}

extension EndpointSource {
  /// `address*weight`, sorted; the weight 1 is left out.
  var shown: [String] {
    current.endpoints.map { $0.weight == 1 ? "\($0.address)" : "\($0.address)*\($0.weight)" }.sorted()
  }
}

extension Binding {
  /// The tree with ids and residuals as text.
  var shown: String {
    switch state {
    case .pending: "pending"
    case .failed(let failure): "failed: \(failure)"
    case .bound(let tree): tree.shown
    case .stale(let tree, _, let error): "stale \(tree.shown): \(error)"
    }
  }
}

extension NameTree where Leaf == BoundName {
  var shown: String {
    printed { $0.residual.isEmpty ? $0.id.description : "\($0.id)+\($0.residual)" }
  }
}
