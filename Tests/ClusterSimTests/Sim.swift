import ClusterSim
import Foundation
import HTTP
import MeshBase
import Net

/// What the tests of the fake schedulers share.
@ControlActor
enum Sim {
  nonisolated static let fixtures =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path + "/Fixtures/dcos"

  /// The cluster that the fixtures tell of.
  static func recorded() throws -> ClusterModel {
    let model = ClusterModel()
    try model.load(folder: fixtures)
    return model
  }

  static func fixture(_ name: String) throws -> [UInt8] { try FileSystem.read("\(fixtures)/\(name)") }

  static func get(_ address: SocketAddress, _ target: String, headers: ControlHeaders = ControlHeaders()) async throws
    -> ControlClientResponse
  {
    let client = ControlHTTPClient(to: address)
    defer { client.close() }
    return try await client.request("GET", target, headers: headers)
  }

  static func node(_ address: SocketAddress, _ target: String) async throws -> JSONNode {
    try JSONNode(parsing: try await get(address, target).body)
  }
}

/// Reads an event stream as it comes.
@ControlActor
final class StreamReader {
  private let client: ControlHTTPClient
  let stream: ControlHTTPStream
  private(set) var bytes: [UInt8] = []
  private(set) var isAtEnd = false
  private(set) var failed = false

  init(_ address: SocketAddress, _ target: String = "/v2/events") async throws {
    client = ControlHTTPClient(to: address)
    stream = try await client.open(
      "GET", target, headers: ControlHeaders(["Host": "marathon", "Accept": "text/event-stream"]))
    stream.pieceMilliseconds = nil
    Task { @ControlActor in
      do {
        while let piece = try await stream.next() { bytes += piece }
      } catch {
        failed = true
      }
      isAtEnd = true
    }
  }

  /// The names of the events so far.
  var events: [String] {
    String(decoding: bytes, as: UTF8.self).replacingOccurrences(of: "\r\n", with: "\n").split(separator: "\n")
      .filter { $0.hasPrefix("event: ") }.map { String($0.dropFirst(7)) }
  }

  func close() { stream.close() }
}
