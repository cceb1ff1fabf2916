import Foundation
import Net

@testable import DtabStore

/// A directory that is gone when the test has ended.
final class ScratchDirectory: Sendable {
  let path: String

  init() {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("dtabs-\(UUID().uuidString)").path
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ text: String) throws { try FileSystem.write("\(path)/\(name)", Array(text.utf8)) }
  func read(_ name: String) throws -> String { String(decoding: try FileSystem.read("\(path)/\(name)"), as: UTF8.self) }
  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }
}

/// Waits until the condition holds, at most two seconds.
@ControlActor
func eventually(_ condition: @ControlActor () async throws -> Bool) async rethrows -> Bool {
  for _ in 0..<400 {
    if try await condition() { return true }
    try? await ControlActor.sleep(milliseconds: 5)
  }
  return false
}

let alice = Authorship(author: "alice", reason: "canary")
