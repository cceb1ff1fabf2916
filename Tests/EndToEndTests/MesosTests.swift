import Foundation
import TestSupport
import Testing

import class Net.Locked

/// A Mesos cluster behind the binary: a task's name, its VIP and its mesos-dns name lead to it, and follow it.
extension LoadTests {
  @Suite("mesos", .serialized)
  struct MesosTests {
    /// The records that every subscriber gets, in their order; the first is the snapshot.
    private final class Master: Sendable {
      private let records = Locked<[String]>([])

      init(_ snapshot: String) { tell(snapshot) }

      func tell(_ record: String) { records.withLock { $0.append("\(record.utf8.count)\n\(record)") } }

      func listen() -> Backend {
        Backend { connection in
          guard let request = connection.request(), request.startLine.hasPrefix("POST /api/v1") else { return }
          connection.socket.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
          var told = 0
          for _ in 0..<6_000 {
            let due = self.records.withLock { Array($0[told...]) }
            told += due.count
            for record in due { connection.socket.send(record) }
            usleep(5_000)
          }
        }
      }
    }

    private func task(_ id: String, port: Int, state: String = "TASK_RUNNING") -> String {
      #"{"name":"api.shop","task_id":{"value":"\#(id)"},"framework_id":{"value":"F"},"agent_id":{"value":"A"},"#
        + #""state":"\#(state)","resources":[],"discovery":{"name":"api.shop","ports":{"ports":[{"number":\#(port),"#
        + #""name":"http","protocol":"tcp","labels":{"labels":[{"key":"VIP_0","value":"/shop:80"},"#
        + #"{"key":"network-scope","value":"host"}]}}]}}}"#
    }

    private func snapshot(_ tasks: String...) -> String {
      #"{"type":"SUBSCRIBED","subscribed":{"get_state":{"get_tasks":{"tasks":[\#(tasks.joined(separator: ","))]},"#
        + #""get_frameworks":{"frameworks":[{"framework_info":{"id":{"value":"F"},"name":"marathon"}}]},"#
        + #""get_agents":{"agents":[{"agent_info":{"id":{"value":"A"},"hostname":"a1"},"#
        + #""pid":"slave(1)@127.0.0.1:5051"}]}},"heartbeat_interval_seconds":60}}"#
    }

    private func becomes(_ router: Router, _ name: String, _ body: String, seconds: Int = 5) throws -> Bool {
      for _ in 0..<(patience(seconds) * 50) {
        if try router.get(name)?.bodyText == body { return true }
        usleep(20_000)
      }
      return false
    }

    @Test("a task's name, its VIP and its mesos-dns name lead to it, and to its successor")
    func names() throws {
      let answering = { (body: String) in
        Backend(answering: "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
      }
      let (first, second) = (answering("1"), answering("2"))
      let master = Master(snapshot(task("t1", port: first.port)))
      let listener = master.listen()
      let router = try Router(
        dtab: """
          /svc/task => /#/io.l5d.mesos/marathon/api.shop;
          /svc/vip => /#/io.l5d.vip/shop.marathon/80;
          /svc/dns => /#/io.l5d.mesosdns/api-shop.marathon.mesos;
          """,
        namers: """
          - {kind: io.l5d.mesos, masters: ["127.0.0.1:\(listener.port)"]}
          - {kind: io.l5d.vip}
          - {kind: io.l5d.mesosdns}
          """)
      for name in ["task", "vip", "dns"] { #expect(try becomes(router, name, "1"), "\(name)") }
      master.tell(#"{"type":"TASK_ADDED","task_added":{"task":\#(task("t2", port: second.port))}}"#)
      master.tell(
        #"{"type":"TASK_UPDATED","task_updated":{"framework_id":{"value":"F"},"state":"TASK_FINISHED","#
          + #""status":{"task_id":{"value":"t1"},"state":"TASK_FINISHED"}}}"#)
      for name in ["task", "vip", "dns"] { #expect(try becomes(router, name, "2"), "\(name)") }
      let state = try #require(try AdminPage.get(router, "/namer_state/io.l5d.vip.json"))
      #expect(state.contains("/#/io.l5d.vip/shop.marathon/80") && state.contains(#""task":"t2""#), "\(state)")
    }
  }
}
