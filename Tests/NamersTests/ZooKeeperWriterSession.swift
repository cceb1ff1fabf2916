import MeshBase
import Net
import TestSupport

@testable import Namers

extension ZooKeeperServer {
  var ensemble: ZooKeeperEnsemble { ZooKeeperEnsemble(servers: [.init(host: "127.0.0.1", port: port)]) }
}

/// Writes nodes, in a session of its own: what is ephemeral ends with `close`.
@ControlActor
final class ZooKeeperWriterSession {
  let connection: ZooKeeperConnection

  init(_ server: ZooKeeperServer, sessionMilliseconds: UInt64 = 4_000) async throws {
    var last: (any Error)?
    // A server that accepts connections may not serve yet.
    for _ in 0..<200 {
      do {
        connection = try await ZooKeeperConnection.open(
          to: .loopback(port: server.port), session: ZooKeeperSession(), sessionMilliseconds: sessionMilliseconds,
          connectMilliseconds: 3_000)
        return
      } catch {
        last = error
        try await ControlActor.sleep(milliseconds: 20)
      }
    }
    throw last ?? ZooKeeperError.noNode
  }

  /// The name that it got.
  @discardableResult
  func create(
    _ path: String, _ data: String = "", ephemeral: Bool = false, sequential: Bool = false, onlyFor auth: String? = nil
  ) async throws -> String {
    try await ask(1) {
      $0.text(path)
      $0.buffer(Array(data.utf8))
      $0.int(1)
      $0.int(31)
      $0.text(auth == nil ? "world" : "digest")
      $0.text(auth ?? "anyone")
      $0.int((ephemeral ? 1 : 0) | (sequential ? 2 : 0))
    }.text()
  }

  /// With all its parents.
  func createAll(_ path: String) async throws {
    var so = ""
    for name in path.split(separator: "/") {
      so += "/\(name)"
      do { try await create(so) } catch ZooKeeperError.code(-110) {}
    }
  }

  func set(_ path: String, _ data: String) async throws {
    _ = try await ask(5) {
      $0.text(path)
      $0.buffer(Array(data.utf8))
      $0.int(-1)
    }
  }

  func delete(_ path: String) async throws {
    _ = try await ask(2) {
      $0.text(path)
      $0.int(-1)
    }
  }

  private func ask(_ operation: Int32, _ body: (inout ZooKeeperWriter) -> Void) async throws -> Reply {
    let result: Result<ZooKeeperReader, ZooKeeperError> = await withCheckedContinuation { continuation in
      connection.request(operation, body) { continuation.resume(returning: $0) }
    }
    return Reply(reader: try result.get())
  }

  private struct Reply {
    var reader: ZooKeeperReader
    func text() throws -> String {
      var reader = reader
      return try reader.text()
    }
  }

  func close() async {
    connection.close()
    await connection.untilEnd()
  }
}
