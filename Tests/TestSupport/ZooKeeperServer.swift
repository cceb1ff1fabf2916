import Foundation

/// Debian's ZooKeeper, on a port and with data of its own.
public final class ZooKeeperServer: @unchecked Sendable {
  public let port: UInt16
  private let directory: String
  private let log: String
  private var process: SpawnedProcess?

  public struct StartError: Error, CustomStringConvertible {
    public let description: String
  }

  private static let jar = "/usr/share/java/zookeeper.jar"

  public init() throws {
    guard FileManager.default.fileExists(atPath: Self.jar) else {
      throw StartError(description: "these tests need ZooKeeper: apt-get install zookeeper")
    }
    port = ClosedPort().number
    directory = "/tmp/zookeeper-\(UUID().uuidString.prefix(8))"
    log = directory + "/log"
    try FileManager.default.createDirectory(atPath: directory + "/data", withIntermediateDirectories: true)
    let configuration = """
      tickTime=200
      minSessionTimeout=400
      dataDir=\(directory)/data
      clientPortAddress=127.0.0.1
      clientPort=\(port)
      admin.enableServer=false
      """
    try configuration.write(toFile: directory + "/zoo.cfg", atomically: true, encoding: .utf8)
    try start()
  }

  deinit {
    stop()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Returns when the server serves.
  public func start() throws {
    let process = SpawnedProcess()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", "/etc/zookeeper/conf:\(Self.jar)",
      "-Dzookeeper.log.dir=\(directory)", "-Dzookeeper.root.logger=WARN,CONSOLE",
      "org.apache.zookeeper.server.quorum.QuorumPeerMain", directory + "/zoo.cfg",
    ]
    _ = FileManager.default.createFile(atPath: log, contents: nil)
    let output = FileHandle(forWritingAtPath: log)
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    self.process = process
    for _ in 0..<1_500 {
      if Self.accepts(port) { return }
      guard process.isRunning else { break }
      usleep(20_000)
    }
    throw StartError(
      description: "ZooKeeper does not start: " + ((try? String(contentsOfFile: log, encoding: .utf8)) ?? ""))
  }

  /// At once, as when its host dies.
  public func stop() {
    guard let process else { return }
    self.process = nil
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Commands of its command line, `create /a x`, one after the other.
  public func run(_ commands: [String]) throws {
    let process = SpawnedProcess()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "java", "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", "/etc/zookeeper/conf:\(Self.jar)",
      "-Dzookeeper.root.logger=ERROR,CONSOLE", "org.apache.zookeeper.ZooKeeperMain", "-waitforconnection", "-server",
      "127.0.0.1:\(port)",
    ]
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
    input.fileHandleForWriting.write(Data((commands.joined(separator: "\n") + "\nquit\n").utf8))
    try input.fileHandleForWriting.close()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw StartError(description: "zkCli: " + text) }
  }

  /// Holds it still, so that its connections stay open and nothing is answered.
  public func pause() { if let process { kill(process.processIdentifier, SIGSTOP) } }
  public func resume() { if let process { kill(process.processIdentifier, SIGCONT) } }

  /// To be called while it is stopped.
  public func removeData() throws {
    try FileManager.default.removeItem(atPath: directory + "/data")
    try FileManager.default.createDirectory(atPath: directory + "/data", withIntermediateDirectories: true)
  }

  private static func accepts(_ port: UInt16) -> Bool {
    let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(raw) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    } == 0
  }
}
