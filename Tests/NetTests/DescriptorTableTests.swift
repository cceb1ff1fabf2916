import Foundation
import Testing

@testable import Net

@Suite("what the environment says of descriptors")
struct DescriptorTableTests {
  private func table(_ environment: [String: String]) throws(DescriptorTable.Problem) -> DescriptorTable {
    try DescriptorTable(environment: { environment[$0] }, processID: 7, parentID: 5)
  }

  @Test("systemd's are numbered from 3, under their names")
  func activated() throws {
    let table = try table(["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:admin.socket"])
    #expect(table.entries.map(\.descriptor) == [3, 4] && table.entries.map(\.name) == ["web", "admin.socket"])
    #expect(table.channel == nil)
    #expect(try self.table(["LISTEN_PID": "7", "LISTEN_FDS": "1"]).entries.map(\.name) == ["unknown"])
    #expect(try self.table(["LISTEN_PID": "7", "LISTEN_FDS": "0", "LISTEN_FDNAMES": ""]).entries == [])
  }

  @Test("what is meant for another process is left alone")
  func others() throws {
    let empty = try table([:])
    #expect(empty.entries == [] && empty.channel == nil)
    #expect(try table(["LISTEN_FDS": "3"]) == empty)
    #expect(try table(["LISTEN_PID": "8", "LISTEN_FDS": "3"]) == empty)
    #expect(try table(["LISTEN_PID": "seven", "LISTEN_FDS": "3"]) == empty)
    #expect(try table(["MESHROUTER_PREDECESSOR": "6", "LISTEN_FDS": "3"]) == empty)
  }

  @Test("a predecessor's come with a channel behind them")
  func successor() throws {
    let variables = DescriptorTable.variables(names: ["server", "server", "admin"], predecessor: 5)
    let table = try table(Dictionary(uniqueKeysWithValues: variables.map { ($0.name, $0.value) }))
    #expect(table.entries.map(\.name) == ["server", "server", "admin"] && table.channel == 6)
    let bare = DescriptorTable.variables(names: [], predecessor: 5)
    #expect(try self.table(Dictionary(uniqueKeysWithValues: bare.map { ($0.name, $0.value) })).channel == 3)
  }

  @Test(
    "what cannot be right is refused, and says so",
    arguments: [
      (["LISTEN_FDS": "many"], "\"many\""), (["LISTEN_FDS": "-1"], "\"-1\""), ([:], "\"\""),
      (["LISTEN_FDS": "99999"], "99999"), (["LISTEN_FDS": "2", "LISTEN_FDNAMES": "one"], "1 names (one) for 2"),
    ])
  func refused(_ environment: [String: String], _ part: String) {
    #expect {
      _ = try table(environment.merging(["LISTEN_PID": "7"]) { $1 })
    } throws: {
      "\($0)".contains(part)
    }
  }

  @Test("a descriptor that is not there is named")
  func missing() {
    var table = try! table([:])
    table.entries = [DescriptorTable.Entry(descriptor: 999_999, name: "web")]
    #expect { _ = try InheritedSockets(table) } throws: { "\($0)".contains("descriptor 999999 of LISTEN_FDS (web)") }
  }

  @Test("sockets are found by where they listen, each once; others are left over")
  func places() throws {
    let path = "/tmp/meshrouter-inherited-\(getpid())"
    defer { unlink(path) }
    let first = try Socket.listen(on: .loopback(port: 0), reusePort: true)
    let place = try #require(Socket.localAddress(first.raw))
    let second = try Socket.listen(on: place, reusePort: true)
    let unix = try Socket.listen(unixSocket: path)
    var ends: [Int32] = [0, 0]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
    var table = try table([:])
    table.entries = [first.raw, second.raw, unix.raw, ends[0]].map {
      DescriptorTable.Entry(descriptor: fcntl($0, F_DUPFD, 0), name: "s")
    }
    let sockets = try InheritedSockets(table)
    #expect(table.entries.allSatisfy { fcntl($0.descriptor, F_GETFD) & FD_CLOEXEC != 0 })
    let found = sockets.take(.address(place))
    #expect(found == table.entries[..<2].map(\.descriptor))
    #expect(Socket.identity(found[0]) == Socket.identity(first.raw))
    #expect(Socket.identity(found[0]) != Socket.identity(found[1]))
    #expect(Socket.sharesPort(found[0]) && !Socket.sharesPort(unix.raw))
    #expect(sockets.take(.address(place)) == [])
    #expect(sockets.take(.unixSocket(path)).count == 1)
    #expect(sockets.takeRest().map(\.place) == [nil])
    for descriptor in table.entries.map(\.descriptor) + ends { close(descriptor) }
  }
}
