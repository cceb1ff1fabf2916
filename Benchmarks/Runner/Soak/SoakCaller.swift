import Glibc
import MeshBase
import Net
import Synchronization

/// What callers found that must never be.
final class SoakFindings: Sendable {
  private let texts = Locked<[String]>([])
  let requests = Atomic<UInt64>(0)
  let answered = Atomic<UInt64>(0)

  func add(_ text: String) {
    texts.withLock { if $0.count < 20 { $0.append(text) } }
  }

  var all: [String] { texts.withLock { $0 } }
}

/// One caller of the soak: goes through random exchanges, good and bad, until told to stop.
struct SoakCaller {
  let port: UInt16
  let findings: SoakFindings
  private var random: SeededRandom
  private var nextID: UInt64

  init(port: UInt16, number: Int, seed: UInt64, findings: SoakFindings) {
    self.port = port
    self.findings = findings
    random = SeededRandom(seed: seed &+ UInt64(number))
    nextID = UInt64(number) << 40
  }

  /// Backends behind these names come and go; `steady` must always be served.
  private static let names = ["steady", "steady", "shaky", "shaky", "edited", "flapping", "dead", "nobody"]

  mutating func run(until stopped: () -> Bool) {
    while !stopped() { once() }
  }

  private mutating func once() {
    guard let file = Sockets.connect(port: port) else {
      Harness.sleep(milliseconds: 5)
      return
    }
    var stream = BlockingStream(file)
    switch random.below(20) {
    case 0: upgrade(&stream)
    case 1: slowReader(&stream)
    case 2: abort(&stream)
    case 3: malformed(&stream)
    case 4: halfHead(&stream)
    case 5: pipeline(&stream)
    default: keepAlive(&stream)
    }
  }

  private mutating func host() -> String { Self.names[random.below(Self.names.count)] }

  private mutating func id() -> String {
    nextID += 1
    return String(nextID, radix: 36)
  }

  // MARK: Exchanges

  private mutating func keepAlive(_ stream: inout BlockingStream) {
    for _ in 0..<(1 + random.below(30)) {
      let host = host()
      let good = ["/ok", "/ok", "/ok", "/chunked", "/slow", "/untilclose"]
      let bad = ["/garbage", "/cut", "/reset", "/twice", "/early"]
      let isGood = random.below(8) > 0
      let path = isGood ? good[random.below(good.count)] : bad[random.below(bad.count)]
      guard exchange(&stream, host, path, mustSucceed: host == "steady" && isGood) else { return }
    }
  }

  /// One request and its answer; false if the connection ended.
  private mutating func exchange(
    _ stream: inout BlockingStream, _ host: String, _ path: String, mustSucceed: Bool
  ) -> Bool {
    let id = id()
    var head = "Host: \(host)\r\nX-Id: \(id)\r\n"
    var body = ""
    var size = 0
    var method = "GET"
    switch random.below(5) {
    case 0:
      method = "POST"
      size = random.below(4) == 0 ? random.below(200_000) : random.below(2_000)
      head += "Content-Length: \(size)\r\n"
      body = String(repeating: "b", count: size)
    case 1:
      method = "POST"
      head += "Transfer-Encoding: chunked\r\n"
      for _ in 0..<random.below(6) {
        let part = 1 + random.below(5_000)
        size += part
        body += "\(String(part, radix: 16))\r\n\(String(repeating: "c", count: part))\r\n"
      }
      body += "0\r\n\r\n"
    case 2 where mustSucceed == false: head += "l5d-dtab: /svc/* => /#/io.l5d.fs/steady\r\n"
    default: break
    }
    findings.requests.add(1, ordering: .relaxed)
    guard stream.send("\(method) \(path) HTTP/1.1\r\n\(head)\r\n\(body)") || path == "/early" else {
      if mustSucceed { findings.add("\(host)\(path): the request was not taken") }
      return false
    }
    guard let answer = stream.head() else {
      if mustSucceed { findings.add("\(host)\(path): no answer") }
      return false
    }
    findings.answered.add(1, ordering: .relaxed)
    let status = answer.status
    let seen = answer.text(of: "x-id")
    if !seen.isEmpty && seen != id { findings.add("\(host)\(path): the answer to another request: \(seen), not \(id)") }
    if status == 200 && !["/early", "/garbage"].contains(path) {
      if seen.isEmpty { findings.add("\(host)\(path): 200 without the backend's X-Id") }
      if answer.text(of: "x-size") != "\(size)" {
        findings.add("\(host)\(path): the backend saw \(answer.text(of: "x-size")) of \(size) body bytes")
      }
    }
    if mustSucceed && status != 200 { findings.add("\(host)\(path): \(status) \(answer.text(of: "l5d-err"))") }
    let got = stream.body(of: answer, endsAtClose: true)
    if status == 200 && path == "/cut" && got != nil {
      findings.add("\(host)/cut: a truncated answer was shown as whole")
    }
    if mustSucceed && got == nil { findings.add("\(host)\(path): the answer was cut off") }
    return got != nil && answer.text(of: "connection").lowercased() != "close"
  }

  private mutating func pipeline(_ stream: inout BlockingStream) {
    let ids = (0..<(2 + random.below(10))).map { _ in id() }
    let host = host()
    findings.requests.add(UInt64(ids.count), ordering: .relaxed)
    stream.send(ids.map { "GET /ok HTTP/1.1\r\nHost: \(host)\r\nX-Id: \($0)\r\n\r\n" }.joined())
    for id in ids {
      guard let answer = stream.head() else {
        if host == "steady" { findings.add("a pipelined request was not answered") }
        return
      }
      findings.answered.add(1, ordering: .relaxed)
      if answer.status == 200 && answer.text(of: "x-id") != id { findings.add("pipelined answers are out of order") }
      guard stream.body(of: answer, endsAtClose: true) != nil else { return }
    }
  }

  private mutating func upgrade(_ stream: inout BlockingStream) {
    findings.requests.add(1, ordering: .relaxed)
    stream.send(
      "GET /upgrade HTTP/1.1\r\nHost: \(host())\r\nX-Id: \(id())\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    guard let answer = stream.head() else { return }
    findings.answered.add(1, ordering: .relaxed)
    guard answer.status == 101 else { return }
    for _ in 0..<random.below(20) {
      let word = id()
      guard stream.send(word), let echo = stream.take(word.utf8.count) else { return }
      if echo != Array(word.utf8) { return findings.add("a tunnel gave back something else than was sent") }
    }
    if random.below(2) == 0 { stream.resetOnClose() }
  }

  /// Reads a large answer in small steps and mostly leaves before its end.
  private mutating func slowReader(_ stream: inout BlockingStream) {
    var small: Int32 = 8_192
    setsockopt(stream.file, SOL_SOCKET, SO_RCVBUF, &small, socklen_t(MemoryLayout<Int32>.size))
    findings.requests.add(1, ordering: .relaxed)
    stream.send("GET /big HTTP/1.1\r\nHost: \(host())\r\nX-Id: \(id())\r\n\r\n")
    guard let answer = stream.head() else { return }
    findings.answered.add(1, ordering: .relaxed)
    guard answer.status == 200 else { return }
    if random.below(3) == 0 {
      _ = stream.skip(2 << 20)
      return
    }
    for _ in 0..<random.below(30) {
      guard stream.skip(4_096) else { return }
      Harness.sleep(milliseconds: 10)
    }
    if random.below(2) == 0 { stream.resetOnClose() }
  }

  /// Leaves in the middle: of the body, or before the answer.
  private mutating func abort(_ stream: inout BlockingStream) {
    switch random.below(4) {
    case 0: stream.send("GET /slow HTTP/1.1\r\nHost: \(host())\r\n\r\n")
    case 1: stream.send("POST /ok HTTP/1.1\r\nHost: \(host())\r\nContent-Length: 100000\r\n\r\nonly this")
    case 2: stream.send("POST /ok HTTP/1.1\r\nHost: \(host())\r\nTransfer-Encoding: chunked\r\n\r\n400\r\nonly this")
    default: stream.send("GET /big HTTP/1.1\r\nHost: \(host())\r\n\r\n")
    }
    Harness.sleep(milliseconds: random.below(30))
    if random.below(2) == 0 { stream.resetOnClose() }
  }

  private mutating func malformed(_ stream: inout BlockingStream) {
    let vectors = [
      "GET / HTTP/1.1\r\n\r\n", "GET /\r\n\r\n", "\0\u{1}\u{2}\r\n\r\n", "GET / HTTP/3.0\r\nHost: steady\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : steady\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: steady\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
      "POST / HTTP/1.1\r\nHost: steady\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: steady\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
      "POST / HTTP/1.1\r\nHost: steady\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
      "GET / HTTP/1.1\r\nHost: steady\r\nX: \(String(repeating: "y", count: 100_000))\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: steady\r\nl5d-dtab: /svc => => !\r\n\r\n",
    ]
    let vector = vectors[random.below(vectors.count)]
    stream.send(vector)
    guard let answer = stream.head() else { return }
    if answer.status < 400 { findings.add("\(answer.status) for \(vector.prefix(60).debugDescription)") }
  }

  private mutating func halfHead(_ stream: inout BlockingStream) {
    stream.send("GET /ok HTTP/1.1\r\nHost: ste")
    Harness.sleep(milliseconds: random.below(50))
    guard random.below(2) == 0 else { return }
    findings.requests.add(1, ordering: .relaxed)
    stream.send("ady\r\nX-Id: \(id())\r\n\r\n")
    guard let answer = stream.head() else { return findings.add("a head in two parts was not answered") }
    findings.answered.add(1, ordering: .relaxed)
    if answer.status != 200 { findings.add("a head in two parts: \(answer.status) \(answer.text(of: "l5d-err"))") }
  }
}
