import Foundation
import MeshBase
import TestSupport
import Testing

@testable import Net

@Suite("watching files")
@ControlActor
final class FileWatcherTests {
  let path = "/tmp/net-\(UUID().uuidString)"
  var events: [(directory: String, name: String, event: FileEvent)] = []

  init() throws { try FileSystem.makeDirectory(path + "/sub") }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The kinds told of a name so far.
  func told(_ name: String) -> FileEvent {
    events.filter { $0.name == name }.reduce(into: []) { $0.formUnion($1.event) }
  }

  @Test("a write, a rename and a removal are told with their kind")
  func kinds() async throws {
    let watcher = try FileWatcher { [weak self] in self?.events.append(($0, $1, $2)) }
    try watcher.watch(directory: path)
    try FileSystem.append(path + "/a", [1])
    #expect(await eventually { told("a").isSuperset(of: .written) })
    #expect(!told("a").isDisjoint(with: .appeared) && told("a").isSuperset(of: .modified))
    try FileSystem.replace(path + "/b", with: [1])
    #expect(await eventually { !told("b").isDisjoint(with: .appeared) })
    #expect(told("b").isDisjoint(with: [.modified, .written]), "a rename writes nothing")
    try FileSystem.remove(path + "/a")
    #expect(await eventually { !told("a").isDisjoint(with: .vanished) })
    #expect(events.allSatisfy { $0.directory == path })
    watcher.close()
  }

  @Test("the loss of the directory itself is told with an empty name; no watch is left")
  func directoryLost() async throws {
    let watcher = try FileWatcher { [weak self] in self?.events.append(($0, $1, $2)) }
    try watcher.watch(directory: path + "/sub")
    #expect(throws: SystemError.self) { try watcher.watch(directory: path + "/none") }
    #expect(throws: SystemError.self) { try watcher.watch(directory: path + "/sub/../../\(UUID())") }
    try FileSystem.remove(path + "/sub")
    #expect(await eventually { !told("").isDisjoint(with: .directory) })
    try FileSystem.makeDirectory(path + "/sub")
    try watcher.watch(directory: path + "/sub")
    try FileSystem.append(path + "/sub/a", [1])
    #expect(await eventually { told("a").isSuperset(of: .written) })
    watcher.unwatch(directory: path + "/sub")
    events = []
    try FileSystem.append(path + "/sub/b", [1])
    try await ControlActor.sleep(milliseconds: 20)
    #expect(events.isEmpty)
    watcher.close()
  }

  @Test("links in a path are followed; nothing at the end is nil")
  func links() throws {
    symlink("sub", path + "/link")
    #expect(try FileSystem.resolvingLinks(path + "/link/../link") == path + "/sub")
    #expect(try FileSystem.resolvingLinks(path + "/link/none") == nil)
    symlink("loop", path + "/loop")
    #expect(throws: SystemError.self) { try FileSystem.resolvingLinks(path + "/loop") }
  }
}

@Suite("facts about this host")
struct HostTests {
  @Test("the loopback address is one of this host's, and there is a route to it")
  func loopback() throws {
    #expect(try Host.addresses().contains(.loopback(port: 0)))
    #expect(Socket.hasRoute(to: .loopback(port: 0)))
  }

  @Test("a duplicate outlives the first descriptor")
  func duplicate() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    let copy = try Descriptor.duplicate(of: ends[1])
    close(ends[1])
    #expect(write(copy.raw, "x", 1) == 1)
    #expect(throws: SystemError.self) { _ = try Descriptor.duplicate(of: -1) }
    close(ends[0])
  }
}
