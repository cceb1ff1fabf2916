import Foundation
import Net
import TestSupport
import Testing

@testable import DtabStore

@Suite struct DirectoryDtabStoreTests {
  @Test("texts, versions and history outlive the process")
  @ControlActor func reopens() async throws {
    let scratch = ScratchDirectory()
    var before: VersionedDtab?
    do {
      let store = try await DirectoryDtabStore.open(directory: scratch.path)
      _ = try await store.create("web", "/a => /b # one\n", by: alice)
      before = try await store.put("web", "/a => /c # two\n", expectedVersion: 1, by: alice)
      _ = try await store.create("gone", "/x => /y", by: alice)
      try await store.delete("gone", expectedVersion: nil, by: alice)
      await store.close()
      await #expect(throws: DtabStoreError.self) { try await store.delete("web", expectedVersion: nil, by: alice) }
    }
    #expect(try scratch.read("web.dtab") == "/a => /c # two\n")
    #expect(!scratch.exists("gone.dtab"))
    let store = try await DirectoryDtabStore.open(directory: scratch.path)
    #expect(store.list() == ["web"])
    #expect(try store.get("web") == before)
    #expect(try await store.history("web", limit: 9).map(\.text) == ["/a => /c # two\n", "/a => /b # one\n"])
    #expect(try await store.create("gone", "", by: alice).version == 3)
    #expect(store.problems == [])
  }

  @Test("a store that was closed refuses changes, and takes the directory back with what another one did there")
  @ControlActor func takesBack() async throws {
    let scratch = ScratchDirectory()
    let store = try await DirectoryDtabStore.open(directory: scratch.path)
    for name in ["web", "gone"] { _ = try await store.create(name, "/a => /b", by: alice) }
    var seen: [UInt64?] = []
    let observation = store.observe("web") { seen.append($0?.version) }
    await store.close()
    await #expect(throws: DtabStoreError.self) { try await store.put("web", "/a => /c", expectedVersion: 1, by: alice) }
    #expect(try store.get("web")?.version == 1)
    do {
      let other = try await DirectoryDtabStore.open(directory: scratch.path)
      await #expect(throws: DtabStoreError.self) { try await store.reopen() }
      _ = try await other.put("web", "/a => /d", expectedVersion: 1, by: alice)
      _ = try await other.create("new", "/x => /y", by: alice)
      try await other.delete("gone", expectedVersion: 1, by: alice)
      await other.close()
    }
    try await store.reopen()
    #expect(store.list() == ["new", "web"])
    #expect(seen == [1, 2])
    #expect(try await store.put("web", "/a => /e", expectedVersion: 2, by: alice).version == 3)
    #expect(try await store.create("gone", "/a => /b", by: alice).version == 3)
    // By hand as well.
    try scratch.write("web.dtab", "/a => /f")
    #expect(await eventually { try! store.get("web")?.version == 4 })
    observation.cancel()
  }

  @Test("what is in memory alone goes on in another store, history and all")
  @ControlActor func exports() throws {
    let store = InMemoryDtabStore()
    _ = try store.create("web", "/a => /b # one", by: alice)
    let last = try store.put("web", "/a => /c", expectedVersion: 1, by: alice)
    _ = try store.create("gone", "/x => /y", by: alice)
    try store.delete("gone", expectedVersion: nil, by: alice)
    store.close()
    #expect(throws: DtabStoreError.self) { try store.create("late", "", by: alice) }
    let next = InMemoryDtabStore(importing: store.exported() + [("bad name", []), ("empty", []), ("odd", [1, 2, 3])])
    #expect(next.list() == ["web"])
    #expect(try next.get("web") == last)
    #expect(try next.history("web", limit: 9) == store.history("web", limit: 9))
    #expect(try next.rollback("web", to: 1, expectedVersion: 2, by: alice).version == 3)
    #expect(try next.create("gone", "", by: alice).version == 3)
    store.reopen()
    #expect(try store.put("web", "/a => /z", expectedVersion: 2, by: alice).version == 3)
  }

  @Test("a directory that is in use is refused, with the process that uses it")
  @ControlActor func locks() async throws {
    let scratch = ScratchDirectory()
    let store = try await DirectoryDtabStore.open(directory: scratch.path)
    await #expect { _ = try await DirectoryDtabStore.open(directory: scratch.path) } throws: {
      "\($0)".contains("in use by another process (pid \(ProcessInfo.processInfo.processIdentifier))")
    }
    withExtendedLifetime(store) {}
  }

  @Test("a file edited by hand is in force soon, in place or by rename, and becomes a version")
  @ControlActor func adopts() async throws {
    let scratch = ScratchDirectory()
    let store = try await DirectoryDtabStore.open(directory: scratch.path)
    _ = try await store.create("web", "/a => /b", by: alice)
    let started = Clock.now
    try scratch.write("web.dtab", "/a => /c # by hand")
    #expect(await eventually { try! store.get("web")?.version == 2 })
    #expect(Clock.now.nanoseconds(since: started) < patience(1_000_000_000))
    #expect(try store.get("web")?.text == "/a => /c # by hand")
    try FileSystem.replace(scratch.path + "/web.dtab", with: Array("/a => /d".utf8))
    #expect(await eventually { try! store.get("web")?.text == "/a => /d" })
    #expect(try await store.history("web", limit: 2).map(\.kind) == [.external, .external])
    // A new file makes a new namespace; other files do not.
    try scratch.write("api.dtab", "/x => /y")
    try scratch.write("api.dtab~", "/x => /z")
    try scratch.write("bad.name.dtab", "/x => /z")
    #expect(await eventually { try! store.get("api")?.version == 1 })
    #expect(store.list() == ["api", "web"])
  }

  @Test("a bad, emptied or removed file keeps the last good dtab and is reported until it is mended")
  @ControlActor func keepsLastGood() async throws {
    let scratch = ScratchDirectory()
    let store = try await DirectoryDtabStore.open(directory: scratch.path)
    _ = try await store.create("web", "/a => /b", by: alice)
    for (text, word) in [("/a = /c", "line 1, column 4"), ("", "empty"), ("/a => /\u{0}", "line 1")] {
      try scratch.write("web.dtab", text)
      #expect(await eventually { store.problems.first?.message.contains(word) == true })
      #expect(try store.get("web")?.text == "/a => /b")
    }
    try FileSystem.remove(scratch.path + "/web.dtab")
    #expect(await eventually { store.problems.first?.message.contains("is gone; version 1 stays") == true })
    try scratch.write("web.dtab", "/a => /b")
    #expect(await eventually { store.problems == [] })
    #expect(try store.get("web")?.version == 1)
  }

  @Test("an edit by hand that was not yet noticed makes an edit through the store stale")
  @ControlActor func racesWithHand() async throws {
    let scratch = ScratchDirectory()
    let store = try await DirectoryDtabStore.open(directory: scratch.path)
    _ = try await store.create("web", "/a => /b", by: alice)
    try scratch.write("web.dtab", "/a => /hand")
    await #expect { try await store.put("web", "/a => /api", expectedVersion: 1, by: alice) } throws: {
      if case DtabStoreError.stale("web", 1, 2) = $0 { true } else { false }
    }
    #expect(await eventually { try! store.get("web")?.text == "/a => /hand" })
  }

  @Test("files edited while no process ran are taken over, bad ones are not")
  @ControlActor func adoptsAtStart() async throws {
    let scratch = ScratchDirectory()
    do {
      let store = try await DirectoryDtabStore.open(directory: scratch.path)
      for name in ["same", "edited", "bad", "back"] { _ = try await store.create(name, "/a => /1", by: alice) }
      _ = try await store.put("back", "/a => /2", expectedVersion: nil, by: alice)
      await store.close()
    }
    try scratch.write("edited.dtab", "/a => /3")
    try scratch.write("bad.dtab", "/a =>")
    try scratch.write("back.dtab", "/a => /1")
    try scratch.write("fresh.dtab", "/n => /m")
    try scratch.write("hopeless.dtab", "((")
    let store = try await DirectoryDtabStore.open(directory: scratch.path)
    let state = try store.list().map { try store.get($0)! }.map { "\($0.namespace) \($0.version) \($0.text)" }
    #expect(
      state == ["back 3 /a => /1", "bad 1 /a => /1", "edited 2 /a => /3", "fresh 1 /n => /m", "same 1 /a => /1"])
    #expect(store.problems.map(\.namespace) == ["bad", "hopeless"])
  }

  @Test("a full disk is told to the caller and changes nothing")
  @ControlActor func diskFull() async throws {
    let scratch = ScratchDirectory()
    let store = try await DirectoryDtabStore.open(directory: scratch.path)
    _ = try await store.create("web", "/a => /b", by: alice)
    try FileManager.default.createSymbolicLink(
      atPath: scratch.path + "/.web.2.pending", withDestinationPath: "/dev/full")
    await #expect { try await store.put("web", "/a => /c", expectedVersion: nil, by: alice) } throws: {
      if case DtabStoreError.storage(let error) = $0 { error.code == ENOSPC } else { false }
    }
    #expect(try store.get("web")?.version == 1)
    #expect(try scratch.read("web.dtab") == "/a => /b")
    #expect(try await store.put("web", "/a => /c", expectedVersion: 1, by: alice).version == 2)
  }
}
