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

let alice = Authorship(author: "alice", reason: "canary")
