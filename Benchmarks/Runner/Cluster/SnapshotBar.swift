import ClusterSim
import Glibc
import MeshBase
import Net

/// The first record of a subscription to a large Mesos master is read.
enum SnapshotBar {
  static func run(binary: String, size: ClusterSize) throws -> Bool {
    var report = BarReport("cluster snapshot")
    let folder = try Harness.scratchFolder()
    defer { Harness.removeFolder(folder) }
    let (model, master) = try ControlActor.runBlocking {
      let model = ClusterModel(seed: 1)
      try model.generate(apps: size.apps, tasksPerApp: size.tasksPerApp, checks: 1, checkProtocol: "MESOS_HTTP")
      return (model, try FakeMesosMaster(model))
    }
    let address = try ControlActor.runBlocking { master.address }
    let configuration = """
      workers: 1
      admin: {port: ADMIN_PORT}
      namers: [{kind: io.l5d.mesos, masters: ["\(address)"]}]
      routers:
      - protocol: http
        dtab: /svc => /#/io.l5d.mesos/marathon
        servers: [{port: PORT}]
      """
    let router = try RouterChild(binary: binary, configuration: configuration, folder: folder)
    // Whoever asks for a name makes a namer that waits for use begin.
    let probe = ProbeClient(port: router.port)
    _ = probe.task(of: "/")
    var peak = 0
    var read = 0
    for _ in 0..<1_200 {
      peak = max(peak, router.residentBytes)
      let bytes = try ControlActor.runBlocking { master.traffic.entries["POST /api/v1"]?.bytes ?? 0 }
      if bytes > 0 && bytes == read { break }
      read = bytes
      Harness.sleep(milliseconds: 50)
    }
    for _ in 0..<60 {
      peak = max(peak, router.residentBytes)
      Harness.sleep(milliseconds: 50)
    }
    report.note("size of the snapshot", Double(read) / 1e6, unit: "MB")
    if read == 0 { report.fail("nothing was subscribed to:\n\(Harness.read(router.log)?.suffix(1_000) ?? "")") }
    report.check("CPU of the snapshot", Double(router.nanoseconds) / 1e9, max: 3, unit: "s")
    report.check("peak memory of its own", Double(peak) / 1_048_576, max: 250, unit: "MiB")
    report.note("memory of its own after", Double(router.residentBytes) / 1_048_576, unit: "MiB")
    try router.end()
    try ControlActor.runBlocking {
      await master.close()
      _ = model
    }
    return report.passes
  }
}
