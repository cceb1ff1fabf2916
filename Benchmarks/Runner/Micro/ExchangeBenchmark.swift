import CMallocCount
import Config
import Glibc
import MeshBase
import MeshRouter
import Net

/// A whole exchange: a router with one worker in this process, a caller's thread and a backend's thread over loopback.
enum ExchangeBenchmark {
  /// - Parameter showsMallocs: print the stacks of the worker's first allocations in steady state.
  static func run(showsMallocs: Bool = false) throws -> [Figure] {
    let folder = try Harness.scratchFolder()
    defer { Harness.removeFolder(folder) }
    let backend = try LoadBackend()
    try Harness.write("127.0.0.1 \(backend.port)\n", to: "\(folder)/web")
    let configuration = try Harness.configuration(
      """
      workers: 1
      admin: {port: 0}
      namers: [{kind: io.l5d.fs, rootDir: \(folder)}]
      routers:
      - protocol: http
        dtab: /svc => /#/io.l5d.fs
        servers: [{port: 0}]
      """)
    let router = try ControlActor.runBlocking { try await RouterProcess.start(configuration) }
    let port = try ControlActor.runBlocking { router.serverAddresses[0][0].port }
    guard let worker = ProcessTable.threads()["worker-0"] else { throw Harness.Failure("there is no worker thread") }
    let get = Array("GET /items/42 HTTP/1.1\r\nHost: web\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n".utf8)
    let post = Array(
      "POST /items HTTP/1.1\r\nHost: web\r\nContent-Length: 1024\r\n\r\n\(String(repeating: "x", count: 1_024))".utf8)
    var figures: [Figure] = []
    for (name, request) in [("exchange.get", get), ("exchange.post1k", post)] {
      let load = try LoadGenerator(.init(port: port, connections: 64, requests: [request]))
      load.waitForCompleted(20_000)
      if showsMallocs { malloc_count_show(worker, 8) }
      var figure = Figure(name: name, nanoseconds: .infinity, mallocs: .infinity)
      for _ in 0..<5 {
        let before = (
          load.completed, malloc_count_of(worker), ProcessTable.nanoseconds(process: "self", thread: worker)
        )
        load.waitForCompleted(20_000)
        let count = Double(load.completed - before.0)
        let nanoseconds = ProcessTable.nanoseconds(process: "self", thread: worker) - before.2
        figure.nanoseconds = min(figure.nanoseconds, Double(nanoseconds) / count)
        figure.mallocs = min(figure.mallocs ?? 0, Double(malloc_count_of(worker) - before.1) / count)
      }
      load.stop()
      if load.failed > 0 {
        throw Harness.Failure(
          "\(name): \(load.failed) of \(load.completed + load.failed) requests failed: \(load.firstFailure ?? "")"
        )
      }
      if malloc_count_works() { figure.mallocsMax = 0.0005 } else { figure.mallocs = nil }
      figures.append(figure)
    }
    try ControlActor.runBlocking { router.shutdown() }
    router.waitUntilEnded()
    backend.stop()
    return figures
  }
}
