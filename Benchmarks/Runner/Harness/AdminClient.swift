import Glibc
import MeshBase
import Net

/// One blocking HTTP call at a time, each on a connection of its own.
struct AdminClient: Sendable {
  struct Answer {
    var status: Int
    var head: String
    var body: String

    /// The value of a header field, empty without it.
    func field(_ name: String) -> String {
      for line in head.split(separator: "\r\n").dropFirst() {
        guard let colon = line.firstIndex(of: ":") else { continue }
        if line[..<colon].lowercased() == name.lowercased() {
          return String(line[line.index(after: colon)...].drop { $0 == " " })
        }
      }
      return ""
    }
  }

  let port: UInt16

  func call(
    _ method: String, _ target: String, host: String = "localhost", fields: [(String, String)] = [], body: String = ""
  ) throws -> Answer {
    guard let file = Sockets.connect(port: port) else { throw SystemError("connect", subject: "127.0.0.1:\(port)") }
    defer { close(file) }
    Sockets.setTimeout(file, seconds: 20)
    var text = "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\nConnection: close\r\n"
    for (name, value) in fields { text += "\(name): \(value)\r\n" }
    if !body.isEmpty || method != "GET" { text += "Content-Length: \(body.utf8.count)\r\n" }
    text += "\r\n" + body
    Array(text.utf8).withUnsafeBytes { _ = Socket.send(file, $0) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = recv(file, &chunk, chunk.count, 0)
      if count < 0 { throw SystemError("recv", subject: target) }
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    guard let end = bytes.withUnsafeBytes({ $0.endOfHead(from: 0) }), bytes.count > 12 else {
      throw Harness.Failure("\(method) \(target): no answer, \(bytes.count) bytes")
    }
    let head = String(decoding: bytes[..<end], as: UTF8.self)
    guard let status = Int(head.dropFirst(9).prefix(3)) else { throw Harness.Failure("\(target): \(head)") }
    return Answer(status: status, head: head, body: String(decoding: bytes[end...], as: UTF8.self))
  }

  /// Asks for a page and throws it away; how many bytes there were.
  func bytes(_ target: String) throws -> Int {
    guard let file = Sockets.connect(port: port) else { throw SystemError("connect", subject: "127.0.0.1:\(port)") }
    defer { close(file) }
    Sockets.setTimeout(file, seconds: 20)
    let text = "GET \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    Array(text.utf8).withUnsafeBytes { _ = Socket.send(file, $0) }
    var (all, chunk) = (0, [UInt8](repeating: 0, count: 65_536))
    while true {
      // MSG_TRUNC: what a TCP socket has received is dropped without a copy.
      let count = recv(file, &chunk, chunk.count, Int32(MSG_TRUNC))
      if count < 0 { throw SystemError("recv", subject: target) }
      if count == 0 { return all }
      all += count
    }
  }

  /// Puts a dtab into force.
  func put(dtab: String, namespace: String = "http") throws {
    let answer = try call(
      "PUT", "/api/1/dtabs/\(namespace)", fields: [("Content-Type", "application/dtab")], body: dtab)
    guard (200...299).contains(answer.status) else { throw Harness.Failure("PUT dtab: \(answer.head)\(answer.body)") }
  }

  func create(dtab: String, namespace: String = "http") throws {
    let answer = try call(
      "POST", "/api/1/dtabs/\(namespace)", fields: [("Content-Type", "application/dtab")], body: dtab)
    guard (200...299).contains(answer.status) else { throw Harness.Failure("POST dtab: \(answer.head)\(answer.body)") }
  }

  func metrics() throws -> MetricsSnapshot { MetricsSnapshot(try call("GET", "/admin/metrics/prometheus").body) }
}

/// A Prometheus page, to be added up.
struct MetricsSnapshot {
  private var series: [(name: Substring, labels: Substring, value: Double)] = []

  init(_ page: String) {
    for line in page.split(separator: "\n") where !line.hasPrefix("#") {
      guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else { continue }
      let brace = line.firstIndex(of: "{") ?? space
      series.append((line[..<brace], brace < space ? line[brace..<space] : "", value))
    }
  }

  var sampleCount: Double { Double(series.count) }

  /// The sum of a family's samples whose labels contain all of the texts and `without` not.
  func sum(_ name: String, _ labels: String..., without: String? = nil) -> Double {
    series.reduce(0) { sum, sample in
      guard sample.name == name, labels.allSatisfy({ sample.labels.contains($0) }),
        without.map({ !sample.labels.contains($0) }) ?? true
      else { return sum }
      return sum + sample.value
    }
  }
}

extension Sockets {
  static func setTimeout(_ file: Int32, seconds: Int) {
    var time = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }
}
