import Dtab
import Foundation
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

extension NamersTests {
  @Suite("ZooKeeper client", .serialized)
  @ControlActor
  final class ZooKeeperClientTests {
    let server: ZooKeeperServer

    init() throws { server = try ZooKeeperServer() }

    nonisolated static var impatient: ZooKeeperClient.Options {
      var options = ZooKeeperClient.Options()
      options.sessionMilliseconds = 2_000
      options.retryMilliseconds = 20
      options.retryMillisecondsMax = 100
      return options
    }

    func client(
      root: String = "", credentials: ZooKeeperEnsemble.Credentials? = nil, others: [ZooKeeperEnsemble.Server] = []
    ) -> ZooKeeperClient {
      let ensemble = ZooKeeperEnsemble(
        servers: others + server.ensemble.servers, root: root, credentials: credentials)
      return ZooKeeperClient(ensemble, resolver: offlineResolver(), options: Self.impatient)
    }

    @Test("data, children and absence are followed as they change")
    func follows() async throws {
      let writer = try await ZooKeeperWriterSession(server)
      try await writer.create("/a", "one")
      let client = client()
      let data = client.node("/a", .data)
      let children = client.node("/a", .children)
      let absent = client.node("/b", .data)
      #expect(await eventually { data.text == "one" && children.value == .children([]) && absent.value == .missing })
      try await writer.set("/a", "two")
      try await writer.create("/a/y")
      try await writer.create("/a/x")
      try await writer.create("/b", "here")
      #expect(await eventually { data.text == "two" && absent.text == "here" })
      #expect(await eventually { children.value == .children(["x", "y"]) })
      try await writer.delete("/a/x")
      try await writer.delete("/a/y")
      try await writer.delete("/a")
      #expect(await eventually { data.value == .missing && children.value == .missing })
      try await writer.create("/a", "again")
      #expect(await eventually { data.text == "again" && children.value == .children([]) })
      #expect(client.failure == nil)
      await writer.close()
    }

    @Test("below a root, paths are the root's own")
    func root() async throws {
      let writer = try await ZooKeeperWriterSession(server)
      let client = client(root: "/deep/root")
      let top = client.node("/", .children)
      let node = client.node("/n", .data)
      #expect(await eventually { top.value == .missing && node.value == .missing })
      try await writer.createAll("/deep/root")
      try await writer.create("/deep/root/n", "x")
      #expect(await eventually { top.value == .children(["n"]) && node.text == "x" })
      await writer.close()
    }

    @Test("a server that was away: what was known stays with its age, and what changed meanwhile is seen")
    func restart() async throws {
      let writer = try await ZooKeeperWriterSession(server)
      try await writer.create("/kept", "1")
      try await writer.create("/changed", "1")
      try await writer.create("/removed", "1")
      await writer.close()
      let client = client()
      let nodes = ["/kept", "/changed", "/removed", "/new"].map { client.node($0, .data) }
      #expect(await eventually { nodes.map(\.text) == ["1", "1", "1", nil] && nodes[3].value == .missing })
      server.stop()
      #expect(await eventually { nodes.allSatisfy { $0.failure != nil } })
      #expect(nodes.map(\.text) == ["1", "1", "1", nil])
      try server.start()
      #expect(await eventually(withinMilliseconds: 10_000) { client.failure == nil })
      // Our connection goes away again before the changes, so that only the watches set anew can tell of them.
      let second = try await ZooKeeperWriterSession(server)
      try await second.set("/changed", "2")
      try await second.delete("/removed")
      try await second.create("/new", "2")
      #expect(await eventually { nodes.map(\.text) == ["1", "2", nil, "2"] && nodes[2].value == .missing })
      await second.close()
    }

    @Test("changes made while the connection is lost are told by the watches that are set again")
    func missedChanges() async throws {
      let writer = try await ZooKeeperWriterSession(server)
      try await writer.create("/n", "1")
      try await writer.create("/d")
      let relay = try Relay(to: server.port)
      let client = ZooKeeperClient(
        ZooKeeperEnsemble(servers: [.init(host: "127.0.0.1", port: relay.port)]), resolver: offlineResolver(),
        options: Self.impatient)
      let data = client.node("/n", .data)
      let children = client.node("/d", .children)
      #expect(await eventually { data.text == "1" && children.value == .children([]) })
      relay.cut()
      #expect(await eventually { client.failure != nil })
      try await writer.set("/n", "2")
      try await writer.create("/d/c")
      relay.mend()
      #expect(await eventually { data.text == "2" && children.value == .children(["c"]) })
      #expect(await eventually { client.failure == nil })
      #expect(client.expiredSessions == 0)
      await writer.close()
    }

    @Test("a server that stands still is left after two thirds of the session's time-out; the session expires")
    func standstill() async throws {
      let writer = try await ZooKeeperWriterSession(server, sessionMilliseconds: 30_000)
      try await writer.create("/n", "1")
      let relay = try Relay(to: server.port)
      let client = ZooKeeperClient(
        ZooKeeperEnsemble(servers: [.init(host: "127.0.0.1", port: relay.port)]), resolver: offlineResolver(),
        options: Self.impatient)
      let data = client.node("/n", .data)
      #expect(await eventually { data.text == "1" })
      relay.hold()
      #expect(await eventually(withinMilliseconds: 4_000) { client.failure != nil })
      #expect(data.text == "1")
      // Long enough for the server to end the session.
      try await ControlActor.sleep(milliseconds: 3_000)
      try await writer.set("/n", "2")
      relay.mend()
      #expect(await eventually(withinMilliseconds: 5_000) { data.text == "2" && client.failure == nil })
      #expect(client.expiredSessions == 1)
      try await writer.set("/n", "3")
      #expect(await eventually { data.text == "3" })
      await writer.close()
    }

    @Test("an ensemble that was set up anew, with less history than we have seen, is read from the start")
    func wiped() async throws {
      let writer = try await ZooKeeperWriterSession(server)
      for index in 0..<20 { try await writer.create("/n\(index)", "1") }
      await writer.close()
      let client = client()
      let data = client.node("/n19", .data)
      #expect(await eventually { data.text == "1" })
      server.stop()
      try server.removeData()
      try server.start()
      #expect(await eventually(withinMilliseconds: 15_000) { data.value == .missing && client.failure == nil })
      let second = try await ZooKeeperWriterSession(server)
      try await second.create("/n19", "2")
      #expect(await eventually { data.text == "2" })
      await second.close()
    }

    @Test("of several servers one that answers is found; nobody waits for the others")
    func several() async throws {
      let writer = try await ZooKeeperWriterSession(server)
      try await writer.create("/n", "1")
      // Held: whoever else got it might accept, and be waited for.
      let closed = ClosedPort()
      let client = client(others: [
        .init(host: "127.0.0.1", port: 1), .init(host: "127.0.0.1", port: closed.number), .init(host: "no.such.test"),
      ])
      let data = client.node("/n", .data)
      #expect(await eventually(withinMilliseconds: 20_000) { data.text == "1" && client.failure == nil })
      #expect(client.status.hasPrefix("connected to 127.0.0.1:\(server.port)"))
      withExtendedLifetime(closed) {}
      await writer.close()
    }

    @Test("a node that only some may read needs their credentials; without them the message says so")
    func credentials() async throws {
      let writer = try await ZooKeeperWriterSession(server)
      // digest of user "mesh", password "secret": base64(sha1("mesh:secret")).
      let digest = Python.digest("mesh:secret")
      try await writer.create("/closed", "x", onlyFor: "mesh:\(digest)")
      let stranger = client().node("/closed", .data)
      #expect(await eventually { stranger.failure?.text.contains("access list") == true })
      let friend = client(credentials: .init(user: "mesh", password: "secret")).node("/closed", .data)
      #expect(await eventually { friend.text == "x" })
      await writer.close()
    }

    @Test("thousands of nodes are read, and none is left out")
    func many() async throws {
      let writer = try await ZooKeeperWriterSession(server)
      try await writer.create("/many")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for index in 0..<3_000 { group.addTask { try await writer.create("/many/\(index)", "\(index)") } }
        try await group.waitForAll()
      }
      let client = client()
      let nodes = (0..<3_000).map { client.node("/many/\($0)", .data) }
      #expect(
        await eventually(withinMilliseconds: 10_000) { nodes.enumerated().allSatisfy { $1.text == "\($0)" } })
      await writer.close()
    }

    @Test(
      "what names an ensemble",
      arguments: [
        ("zk://h1:2181,h2:2182/mesos", "h1:2181,h2:2182/mesos"), ("h1", "h1:2181"), ("zk://u:p@h1/a/b/", "h1:2181/a/b"),
        ("zk://[::1]:99,10.0.0.1", "[::1]:99,10.0.0.1:2181"), ("::1", "[::1]:2181"),
      ])
    func ensembles(_ text: String, _ shown: String) throws {
      #expect(try ZooKeeperEnsemble(parsing: text).description == shown)
    }

    @Test("what does not", arguments: ["", "zk://", "h1:0", "h1:x", "h1,,h2", "h1//a", "u@h1", "zk:///mesos", "a b:1"])
    func noEnsembles(_ text: String) {
      #expect(throws: ZooKeeperEnsemble.Malformed.self) { try ZooKeeperEnsemble(parsing: text) }
    }
  }
}

/// What is not a ZooKeeper server.
extension NamersTests {
  @Suite("ZooKeeper client and servers that misbehave", .serialized)
  @ControlActor
  final class ZooKeeperHostileTests {
    @Test(
      "what such a server says costs neither memory nor the client",
      arguments: [
        "HTTP/1.1 400 Bad Request\r\n\r\n", "\u{0}\u{0}\u{0}\u{1}x", "\u{7f}\u{7f}\u{7f}\u{7f}", "",
        String(repeating: "\u{0}", count: 400),
      ])
    func hostile(_ answer: String) async throws {
      let listener = try AsyncListener(on: .loopback(port: 0)) { socket, _ in
        _ = try? await socket.read()
        try? await socket.write(Array(answer.utf8))
        try? await ControlActor.sleep(milliseconds: 20)
        socket.close()
      }
      defer { listener.close() }
      let port = try #require(listener.address?.port)
      let client = ZooKeeperClient(
        ZooKeeperEnsemble(servers: [.init(host: "127.0.0.1", port: port)]), resolver: offlineResolver(),
        options: ZooKeeperClientTests.impatient)
      let node = client.node("/a", .data)
      #expect(await eventually { node.failure != nil })
      try await ControlActor.sleep(milliseconds: 100)
      #expect(node.value == .pending)
    }

    @Test("a client that nobody needs any more lets go of its connection")
    func lifetime() async throws {
      let ended = Ended()
      let listener = try AsyncListener(on: .loopback(port: 0)) { socket, _ in
        ended.connections += 1
        while let bytes = try? await socket.read(), !bytes.isEmpty {}
        ended.connections -= 1
      }
      defer { listener.close() }
      let port = try #require(listener.address?.port)
      var client: ZooKeeperClient? = ZooKeeperClient(
        ZooKeeperEnsemble(servers: [.init(host: "127.0.0.1", port: port)]), resolver: offlineResolver(),
        options: ZooKeeperClientTests.impatient)
      #expect(client?.status == "not in use")
      var node = client?.node("/a", .data)
      #expect(await eventually { ended.connections == 1 })
      client = nil
      #expect(node?.failure == nil)
      node = nil
      #expect(await eventually(withinMilliseconds: 5_000) { ended.connections == 0 })
    }

    @ControlActor final class Ended { var connections = 0 }
  }
}

enum Python {
  /// ZooKeeper's digest of `user:password`.
  static func digest(_ text: String) -> String {
    let process = SpawnedProcess()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "python3", "-c",
      "import sys,hashlib,base64;print(base64.b64encode(hashlib.sha1(sys.argv[1].encode()).digest()).decode())", text,
    ]
    let pipe = Pipe()
    process.standardOutput = pipe
    try? process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: output, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
