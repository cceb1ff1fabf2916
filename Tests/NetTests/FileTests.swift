import Foundation
import Testing

@testable import Net

@Suite struct FileTests {
  private func scratch() throws -> String {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("net-\(UUID().uuidString)").path
    try FileSystem.makeDirectory(path + "/a/b")
    return path
  }

  @Test("files are replaced, appended to, cut and listed")
  func files() throws {
    let path = try scratch()
    defer { try? FileManager.default.removeItem(atPath: path) }
    try FileSystem.replace(path + "/x", with: [1, 2, 3])
    try FileSystem.append(path + "/x", [4])
    try FileSystem.append(path + "/y", [9])
    #expect(try FileSystem.read(path + "/x") == [1, 2, 3, 4])
    try FileSystem.truncate(path + "/x", to: 2)
    #expect(try FileSystem.status(path + "/x")?.size == 2)
    #expect(try FileSystem.list(path).sorted() == ["a", "x", "y"])
    try FileSystem.move(path + "/x", to: path + "/y")
    #expect(try FileSystem.read(path + "/y") == [1, 2])
    try FileSystem.remove(path + "/y")
    try FileSystem.remove(path + "/y")
    #expect(try FileSystem.status(path + "/y") == nil)
    #expect(throws: SystemError.self) { _ = try FileSystem.read(path + "/none") }
    #expect(throws: SystemError.self) {
      try FileSystem.write(path + "/big", [UInt8](repeating: 0, count: 100))
      _ = try FileSystem.read(path + "/big", limit: 99)
    }
  }

  @Test("a lock keeps others out until it is released")
  func locks() throws {
    let path = try scratch()
    defer { try? FileManager.default.removeItem(atPath: path) }
    var lock: FileLock? = try FileLock(path + "/lock")
    #expect(FileLock.holder(path + "/lock") == Host.processID)
    #expect { _ = try FileLock(path + "/lock") } throws: { ($0 as? SystemError)?.isHeldLock == true }
    withExtendedLifetime(lock) {}
    lock = nil
    #expect(throws: Never.self) { _ = try FileLock(path + "/lock") }
  }

  @Test("a watched directory tells of writes, renames and deletions by name")
  @ControlActor func watches() async throws {
    let path = try scratch()
    defer { try? FileManager.default.removeItem(atPath: path) }
    var names: [String] = []
    let watcher = try FileWatcher { directory, name in
      #expect(directory == path)
      names.append(name)
    }
    try watcher.watch(directory: path)
    func seen(_ name: String) async -> Bool {
      for _ in 0..<200 where !names.contains(name) { try? await ControlActor.sleep(milliseconds: 5) }
      defer { names = [] }
      return names.contains(name)
    }
    try FileSystem.write(path + "/one", [1])
    #expect(await seen("one"))
    try FileSystem.move(path + "/one", to: path + "/two")
    #expect(await seen("two"))
    try FileSystem.remove(path + "/two")
    #expect(await seen("two"))
    try FileManager.default.removeItem(atPath: path)
    #expect(await seen(""))
    #expect(throws: SystemError.self) { try watcher.watch(directory: path) }
    watcher.close()
  }
}
