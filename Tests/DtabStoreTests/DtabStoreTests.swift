import MeshBase
import Net
import Testing

@testable import DtabStore

/// What every store does.
@Suite struct DtabStoreTests {
  enum Kind: CaseIterable, Sendable { case memory, directory }

  @ControlActor private func store(_ kind: Kind, _ scratch: ScratchDirectory) async throws -> any DtabStore {
    switch kind {
    case .memory: InMemoryDtabStore()
    case .directory: try await DirectoryDtabStore.open(directory: scratch.path)
    }
  }

  @Test("a created dtab is there, as it was entered", arguments: Kind.allCases)
  @ControlActor func creates(_ kind: Kind) async throws {
    let scratch = ScratchDirectory()
    let store = try await store(kind, scratch)
    let text = "# the web\n/svc => /#/io.l5d.fs ;\n\n"
    let created = try await store.create("web", text, by: alice)
    #expect(created.version == 1)
    #expect(created.text == text)
    #expect(created.dtab.count == 1)
    #expect(created.authorship == alice)
    let got = try await store.get("web")
    #expect(got == created)
    #expect(try await store.list() == ["web"])
    #expect(try await store.get("api") == nil)
  }

  @Test("create of what exists, stale versions, unknown names and bad input are told apart", arguments: Kind.allCases)
  @ControlActor func refuses(_ kind: Kind) async throws {
    let scratch = ScratchDirectory()
    let store = try await store(kind, scratch)
    _ = try await store.create("web", "/a => /b", by: alice)

    await #expect { try await store.create("web", "", by: alice) } throws: {
      if case DtabStoreError.exists("web", 1) = $0 { true } else { false }
    }
    await #expect { try await store.put("web", "", expectedVersion: 7, by: alice) } throws: {
      if case DtabStoreError.stale("web", 7, 1) = $0 { true } else { false }
    }
    await #expect { try await store.put("wep", "", expectedVersion: 1, by: alice) } throws: {
      if case DtabStoreError.unknown("wep", ["web"]) = $0 { true } else { false }
    }
    await #expect { try await store.delete("api", expectedVersion: nil, by: alice) } throws: {
      if case DtabStoreError.unknown("api", []) = $0 { true } else { false }
    }
    await #expect { try await store.delete("web", expectedVersion: 9, by: alice) } throws: {
      if case DtabStoreError.stale("web", 9, 1) = $0 { true } else { false }
    }
    await #expect { try await store.put("web", "/a = /b", expectedVersion: nil, by: alice) } throws: {
      "\($0)".contains("^")
    }
    let large = String(repeating: "#", count: DtabHistory.textBytesMax + 1)
    await #expect { try await store.put("web", large, expectedVersion: nil, by: alice) } throws: {
      if case DtabStoreError.tooLarge = $0 { true } else { false }
    }
    for name in ["", "../etc", "a/b", "a.b", ".", "ü", String(repeating: "x", count: 65)] {
      await #expect { try await store.put(name, "", expectedVersion: nil, by: alice) } throws: {
        if case DtabStoreError.badName = $0 { true } else { false }
      }
    }
    let got = try await store.get("web")
    #expect(got?.version == 1 && got?.text == "/a => /b")
  }

  @Test("versions count up through deletion and return", arguments: Kind.allCases)
  @ControlActor func counts(_ kind: Kind) async throws {
    let scratch = ScratchDirectory()
    let store = try await store(kind, scratch)
    _ = try await store.create("web", "/a => /b", by: alice)
    #expect(try await store.put("web", "/a => /c", expectedVersion: 1, by: alice).version == 2)
    try await store.delete("web", expectedVersion: 2, by: alice)
    #expect(try await store.get("web") == nil)
    #expect(try await store.list() == [])
    #expect(try await store.put("web", "/a => /d", expectedVersion: nil, by: alice).version == 4)
    let kinds = try await store.history("web", limit: 10).map(\.kind)
    #expect(kinds == [.created, .deleted, .changed, .created])
    #expect(try await store.history("web", limit: 1).map(\.version) == [4])
  }

  @Test("a rollback puts an earlier text in force as a new version, after a deletion too", arguments: Kind.allCases)
  @ControlActor func rollsBack(_ kind: Kind) async throws {
    let scratch = ScratchDirectory()
    let store = try await store(kind, scratch)
    _ = try await store.create("web", "/a => /b # first", by: alice)
    _ = try await store.put("web", "/a => /c", expectedVersion: 1, by: alice)
    let back = try await store.rollback("web", to: 1, expectedVersion: 2, by: alice)
    #expect(back.version == 3 && back.text == "/a => /b # first")
    try await store.delete("web", expectedVersion: nil, by: alice)
    #expect(try await store.rollback("web", to: 2, expectedVersion: nil, by: alice).text == "/a => /c")
    let newest = try await store.history("web", limit: 1)[0]
    #expect(newest.kind == .rolledBack && newest.source == 2)
    await #expect { try await store.rollback("web", to: 4, expectedVersion: nil, by: alice) } throws: {
      if case DtabStoreError.unknownVersion("web", 4, [1, 2, 3, 5]) = $0 { true } else { false }
    }
  }

  @Test("the last hundred changes are kept", arguments: Kind.allCases)
  @ControlActor func keepsHistory(_ kind: Kind) async throws {
    let scratch = ScratchDirectory()
    let store = try await store(kind, scratch)
    for i in 1...230 { _ = try await store.put("web", "/a => /\(i)", expectedVersion: nil, by: alice) }
    let history = try await store.history("web", limit: 1_000)
    #expect(history.map(\.version) == Array((131...230).reversed()))
    #expect(history.first?.text == "/a => /230")
  }

  @Test("observers hear the present state at once and each change before its call returns", arguments: Kind.allCases)
  @ControlActor func observes(_ kind: Kind) async throws {
    let scratch = ScratchDirectory()
    let store = try await store(kind, scratch)
    var web: [UInt64?] = []
    var all: [String] = []
    let one = store.observe("web") { web.append($0?.version) }
    let every = store.observeAll { all.append("\($0) \($1?.version ?? 0)") }
    #expect(web == [nil])
    _ = try await store.put("web", "/a => /b", expectedVersion: nil, by: alice)
    #expect(web == [nil, 1])
    _ = try await store.put("api", "/a => /b", expectedVersion: nil, by: alice)
    try await store.delete("web", expectedVersion: nil, by: alice)
    #expect(web == [nil, 1, nil])
    #expect(all == ["web 1", "api 1", "web 0"])
    one.cancel()
    _ = try await store.put("web", "/a => /b", expectedVersion: nil, by: alice)
    #expect(web.count == 3)
    withExtendedLifetime(every) {}

    var states = store.states(of: "api").makeAsyncIterator()
    #expect(await states.next()??.version == 1)
    _ = try await store.put("api", "/a => /c", expectedVersion: nil, by: alice)
    #expect(await states.next()??.version == 2)
  }

  @Test("of two edits based on one version exactly one wins", arguments: Kind.allCases)
  @ControlActor func comparesAndSets(_ kind: Kind) async throws {
    let scratch = ScratchDirectory()
    let store = try await store(kind, scratch)
    _ = try await store.create("web", "/a => /0", by: alice)
    for round in 1...20 {
      let base = UInt64(round)
      let attempts = (0..<4).map { i in
        Task { @ControlActor in
          (try? await store.put("web", "/a => /\(i)", expectedVersion: base, by: alice)) != nil
        }
      }
      var results = 0
      for attempt in attempts where await attempt.value { results += 1 }
      #expect(results == 1)
      #expect(try await store.get("web")?.version == base + 1)
    }
  }

  @Test("authors and reasons are one line each and have a limit")
  func cleansAuthorship() {
    let authorship = Authorship(author: "a\nb\u{7f}", reason: String(repeating: "é", count: 1_000))
    #expect(authorship.author == "a b ")
    #expect(authorship.reason.utf8.count == Authorship.reasonBytesMax)
  }
}
