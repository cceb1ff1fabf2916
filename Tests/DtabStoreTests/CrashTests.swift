import Foundation
import Logging
import MeshBase
import Net
import TestSupport
import Testing

@testable import DtabStore

/// What is left when the process or the disk stops in the middle of a change.
@Suite struct CrashTests {
  /// Fails or crashes at one step, once.
  final class Saboteur: Sendable {
    private let plan = Locked<(step: DtabFiles.Step, fault: DtabFiles.Fault)?>(nil)

    func arm(_ step: DtabFiles.Step, _ fault: DtabFiles.Fault) { plan.withLock { $0 = (step, fault) } }

    func check(_ step: DtabFiles.Step) throws(DtabFiles.Fault) {
      let fault: DtabFiles.Fault? = plan.withLock { plan in
        guard let armed = plan, armed.step == step else { return nil }
        plan = nil
        return armed.fault
      }
      if let fault { throw fault }
    }
  }

  private func open(_ scratch: ScratchDirectory, _ saboteur: Saboteur) throws -> DtabFiles {
    try DtabFiles(directory: scratch.path) { step throws(DtabFiles.Fault) in try saboteur.check(step) }
  }

  private func put(_ text: String) throws -> DtabCommand {
    try .put(text: text, dtab: DtabCommand.parse(text), expectedVersion: nil)
  }

  @Test(
    "a crash before any step leaves the old or the new state, and the next change works",
    arguments: DtabFiles.Step.allCases)
  func crashes(_ step: DtabFiles.Step) async throws {
    for deletes in [false, true] {
      let scratch = ScratchDirectory()
      let saboteur = Saboteur()
      do {
        let files = try open(scratch, saboteur)
        _ = try await files.load()
        _ = try await files.apply(put("/a => /old"), to: "web", by: alice)
        saboteur.arm(step, .crash)
        _ = try? await files.apply(deletes ? .delete(expectedVersion: nil) : put("/a => /new"), to: "web", by: alice)
        await files.close()
      }
      let files = try open(scratch, Saboteur())
      let web = try #require(try await files.load().first)
      // The record in the log decides.
      let decided = step == .publish || step == .tidy
      if step == .tidy && !deletes {
        // Not a step of an edit, which therefore went through.
        #expect(web.current?.text == "/a => /new")
      } else if decided {
        #expect(web.current?.text == (deletes ? nil : "/a => /new"))
        #expect(web.version == 2)
      } else {
        #expect(web.current?.text == "/a => /old")
        #expect(web.version == 1)
      }
      #expect(web.problem == nil)
      #expect(scratch.exists("web.dtab") == (web.current != nil))
      if let current = web.current { #expect(try scratch.read("web.dtab") == current.text) }
      #expect(!FileManager.default.subpaths(atPath: scratch.path)!.contains { $0.hasSuffix(".pending") })
      let (published, _) = try await files.apply(put("/a => /next"), to: "web", by: alice)
      #expect(published.version == web.version + 1)
    }
  }

  @Test("a disk that fails at any step changes nothing, now and after a restart", arguments: DtabFiles.Step.allCases)
  func fails(_ step: DtabFiles.Step) async throws {
    for deletes in [false, true] where deletes || step != .tidy {
      let scratch = ScratchDirectory()
      let saboteur = Saboteur()
      do {
        let files = try open(scratch, saboteur)
        _ = try await files.load()
        _ = try await files.apply(put("/a => /old"), to: "web", by: alice)
        saboteur.arm(step, .failure(SystemError("write", code: ENOSPC)))
        let command = deletes ? .delete(expectedVersion: nil) : try put("/a => /new")
        await #expect(throws: DtabStoreError.self) { try await files.apply(command, to: "web", by: alice) }
        // What is left of a deletion whose last step failed: the file is gone, the namespace is not.
        if step != .tidy { #expect(try scratch.read("web.dtab") == "/a => /old") }
        #expect(await files.look(at: "web").current?.text == "/a => /old")
        #expect(try await files.history("web", limit: 9).map(\.version) == [1])
        await files.close()
      }
      let files = try open(scratch, Saboteur())
      let web = try #require(try await files.load().first)
      #expect(web.current?.text == "/a => /old")
      #expect(try await files.apply(put("/a => /next"), to: "web", by: alice).published.version == 2)
      #expect(try scratch.read("web.dtab") == "/a => /next")
    }
  }

  @Test("a log that is cut or damaged at any byte never makes a wrong dtab, and no version twice")
  func damagedLog() async throws {
    let scratch = ScratchDirectory()
    do {
      let files = try open(scratch, Saboteur())
      _ = try await files.load()
      for text in ["/a => /one", "/a => /two", "/a => /three"] {
        _ = try await files.apply(put(text), to: "web", by: alice)
      }
      await files.close()
    }
    let log = try FileSystem.read(scratch.path + "/history/web.log")
    for place in stride(from: 0, to: 2 * log.count, by: 3) {
      var bytes = log
      if place < log.count {
        bytes.removeSubrange(place...)
      } else {
        bytes[place - log.count] ^= 0x04
      }
      try FileSystem.write(scratch.path + "/history/web.log", bytes)
      let files = try open(scratch, Saboteur())
      let web = try #require(try await files.load().first, "place \(place)")
      // The file has the text in force, whatever has become of the log.
      #expect(web.current?.text == "/a => /three", "place \(place)")
      if place > 0 { #expect(web.version >= 1) }
      let next = try await files.apply(put("/a => /four"), to: "web", by: alice).published.version
      #expect(next > web.version, "place \(place)")
      await files.close()
      try FileSystem.write(scratch.path + "/web.dtab", Array("/a => /three".utf8))
    }
  }

  @Test("kill -9 during edits, 200 times: every acknowledged edit is there", arguments: 1...4)
  func kills(_ quarter: Int) async throws {
    let scratch = ScratchDirectory()
    let failures: [String] = await withCheckedContinuation { continuation in
      // A thread of its own, because it waits for processes.
      Net.Thread.start(name: "killer") { continuation.resume(returning: Self.killRounds(50, scratch)) }
    }
    #expect(failures.isEmpty, "\(failures.prefix(5))")
  }

  private static func killRounds(_ rounds: Int, _ scratch: ScratchDirectory) -> [String] {
    let seed = UInt64.random(in: 1...1_000_000)
    var random = SeededRandom(seed: seed)
    var failures: [String] = []
    var acknowledged = 0
    for round in 0..<rounds {
      let acks = killOne(scratch, seed: random.next(), afterMicroseconds: UInt32(random.below(12_000)))
      acknowledged += acks.count
      do {
        failures += try ControlActor.runBlocking { try await missing(acks, in: scratch) }
          .map { "seed \(seed), round \(round): \($0)" }
      } catch {
        failures.append("seed \(seed), round \(round): \(error)")
      }
    }
    if acknowledged < rounds { failures.append("only \(acknowledged) edits in \(rounds) rounds") }
    return failures
  }

  /// Lets the writer run until its first edit and a little longer; returns the lines it printed.
  private static func killOne(_ scratch: ScratchDirectory, seed: UInt64, afterMicroseconds: UInt32) -> [String] {
    let writer = Products.path("DtabStoreCrashWriter")
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var process = pid_t()
    let arguments: [UnsafeMutablePointer<CChar>?] = [strdup(writer), strdup(scratch.path), strdup("\(seed)"), nil]
    let code = posix_spawn(&process, writer, &actions, nil, arguments, environ)
    precondition(code == 0, "\(writer): \(SystemError.text(code))")
    for argument in arguments { free(argument) }
    close(ends[1])
    var output: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    var isKilled = false
    while true {
      let count = read(ends[0], &chunk, chunk.count)
      if count <= 0 { break }
      output += chunk[..<count]
      if !isKilled {
        usleep(afterMicroseconds)
        kill(process, SIGKILL)
        isKilled = true
      }
    }
    close(ends[0])
    var status: Int32 = 0
    waitpid(process, &status, 0)
    return String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @ControlActor private static func missing(_ acks: [String], in scratch: ScratchDirectory) async throws -> [String] {
    let files = try DtabFiles(directory: scratch.path)
    let store = try await DirectoryDtabStore.open(files, Logger(label: "test"))
    var missing = store.problems.map(\.message)
    var histories: [String: [UInt64: DtabChange]] = [:]
    for ack in acks {
      let words = ack.split(separator: " ", maxSplits: 2)
      let (name, version, mark) = (String(words[0]), UInt64(words[1])!, words[2])
      if histories[name] == nil {
        let history = try await store.history(name, limit: DtabHistory.keptMax)
        histories[name] = Dictionary(uniqueKeysWithValues: history.map { ($0.version, $0) })
      }
      guard let change = histories[name]![version] else {
        // Older than what is kept?
        if version >= histories[name]!.keys.min()! { missing.append("\(ack) is not in the history") }
        continue
      }
      let found = change.kind == .deleted ? "deleted" : change.text.prefix { $0 != "\n" }
      if found != mark { missing.append("\(ack) is \(found)") }
    }
    for (name, history) in histories {
      let newest = history.values.max { $0.version < $1.version }!
      if (try store.get(name)?.text ?? "") != newest.text { missing.append("\(name): in force is not the newest") }
    }
    await store.close()
    return missing
  }
}
