import Foundation
import TestSupport
import Testing

@testable import Net

@Suite("another program of ours", .serialized)
struct SuccessorTests {
  @Test("it has the sockets and the channel where the environment says, and nothing else of this process")
  @ControlActor func descriptors() async throws {
    let listener = try Socket.listen(on: .loopback(port: 0))
    let (own, other) = try MessageSocket.pair()
    // As a library might open one, without O_CLOEXEC; far from what the shell opens for itself.
    let leaked = fcntl(listener.raw, F_DUPFD, 150)
    defer { close(leaked) }
    // One message of kind 9: what there is beside the standard streams, and the variables.
    let script = """
      text="$(ls /proc/$$/fd | sort -n | tr '\\n' ' ')$LISTEN_FDS $LISTEN_FDNAMES $LISTEN_PID $MESHROUTER_PREDECESSOR"
      printf "\\011\\000\\000\\000\\\\$(printf %03o ${#text})%s" "$text" >&5
      """
    let child = try ChildProgram.startSuccessor(
      "/bin/bash", arguments: ["bash", "-c", script],
      sockets: [(listener.raw, "server"), (listener.raw, "admin")], channel: other)
    close(other)
    own.setDeadline(millisecondsFromNow: 10_000)
    let message = try await own.receive()
    #expect(message?.kind == 9)
    let words = String(decoding: message?.payload ?? [], as: UTF8.self).split(separator: " ").map(String.init)
    #expect(words.contains("5") && words.suffix(3) == ["2", "server:admin", "\(getpid())"], "\(words)")
    #expect(!words.dropLast(3).contains { Int($0).map { (50..<1_000).contains($0) } ?? true }, "\(words)")
    #expect(try await own.receive() == nil)
    #expect(await eventually { child.ending == "it ended with exit status 0" })
    #expect(!child.signal(SIGHUP))
  }

  @Test("one that is killed says so; one that cannot be started says why")
  @ControlActor func ends() async throws {
    let (own, other) = try MessageSocket.pair()
    let child = try ChildProgram.startSuccessor(
      "/bin/sleep", arguments: ["sleep", "600"], sockets: [], channel: other)
    close(other)
    #expect(child.ending == nil)
    #expect(await child.end() == "signal 9 ended it")
    #expect(try await own.receive() == nil)
    #expect { _ = try ChildProgram.startSuccessor("/nowhere", arguments: ["x"], sockets: [], channel: 0) } throws: {
      "\($0)".contains("/nowhere: No such file")
    }
  }

  @Test("messages come whole and in order, however large")
  @ControlActor func messages() async throws {
    let (one, raw) = try MessageSocket.pair()
    let two = try MessageSocket(owning: raw)
    let sent = [0, 1, 70_000, 3_000_000, 5].enumerated().map { index, count in
      MessageSocket.Message(kind: UInt8(index), (0..<count).map { UInt8(truncatingIfNeeded: $0) })
    }
    Task { @ControlActor in
      for message in sent { try await one.send(message) }
      one.close()
    }
    for message in sent { #expect(try await two.receive() == message) }
    #expect(try await two.receive() == nil)
    two.setDeadline(millisecondsFromNow: 1)
  }

  @Test("keys of tickets go from one process to the next, and nothing else is taken for them")
  func tickets() throws {
    let old = TLSTicketKeys()
    old.rotate()
    let (bytes, new) = (old.exported(), TLSTicketKeys())
    #expect(bytes.count == 176)
    #expect(new.opening(old.sealing.name) == nil)
    #expect(new.adopt(bytes))
    #expect(new.exported() == bytes)
    #expect(new.opening(old.sealing.name)?.isNewest == true)
    for damaged in [[], Array(bytes.dropLast()), bytes + bytes] { #expect(!new.adopt(damaged)) }
    #expect(new.exported() == bytes)
  }
}
