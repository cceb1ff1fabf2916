import Foundation
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

@Suite("cluster client", .serialized)
struct ClusterClientTests {
  /// What servers were asked, in order.
  @ControlActor final class Log {
    var lines: [String] = []
    var tokens = 0
    var sent: [UInt8] = []
    var pieceBytes = 1_000
  }

  @ControlActor private func server(_ handler: @escaping ControlHTTPServer.Handler) throws -> ControlHTTPServer {
    try ControlHTTPServer(on: .loopback(port: 0), handler: handler)
  }

  @ControlActor private func host(_ server: ControlHTTPServer) -> ClusterHost {
    ClusterHost(host: "127.0.0.1", port: server.address!.port)
  }

  private static let deadHost = ClusterHost(host: "127.0.0.1", port: 1)

  @Test("hosts are read as people write them")
  func hosts() {
    #expect(ClusterHost("m1:8080")?.description == "http://m1:8080")
    #expect(ClusterHost("https://m1.example")?.description == "https://m1.example")
    #expect(ClusterHost("[::1]:8443", isSecure: true)?.description == "https://[::1]:8443")
    #expect(ClusterHost("http://10.0.0.1/")?.port == 80)
    #expect(ClusterHost("m1", defaultPort: 5_050)?.port == 5_050)
    for text in ["", "m1:", "m1:0", "m 1", "m1:99999", "::1", "http://"] {
      #expect(ClusterHost(text) == nil, "\(text)")
    }
    let base = ClusterHost(host: "m1", port: 5_050)
    #expect(base.following("//m2:5051/api/v1")?.host.description == "http://m2:5051")
    #expect(base.following("//m2:5051/api/v1")?.path == "/api/v1")
    #expect(base.following("/x?y")?.host == base)
    #expect(base.following("https://m3?q#f")?.path == "/?q")
    #expect(base.following("ftp://m3/") == nil)
  }

  @Test("a host that does not answer is passed over, and the good one is asked first from then on")
  @ControlActor func failover() async throws {
    let server = try server { .text("\($0.path)") }
    let client = ClusterClient(hosts: [Self.deadHost, host(server)], resolver: offlineResolver())
    #expect(try await client.request(ClusterRequest("/a")).body == Array("/a\n".utf8))
    #expect(client.lastGood == host(server))
    await server.close()
    do throws(ClusterError) {
      _ = try await client.request(ClusterRequest("/b"))
      Issue.record("nobody listens")
    } catch {
      #expect(error.cause == .unreachable)
      #expect(error.description.contains("GET http://127.0.0.1:1/b: 127.0.0.1:1: cannot connect: Connection refused"))
    }
    #expect(client.lastGood == nil)
  }

  @Test("a server without a leader is passed over; if there is no other, the error says what is usual")
  @ControlActor func noLeader() async throws {
    let bad = try server { _ in ControlResponse(status: 503) }
    let good = try server { _ in .text("ok") }
    let client = ClusterClient(hosts: [host(bad), host(good)], resolver: offlineResolver())
    #expect(try await client.request(ClusterRequest("/")).status == 200)
    let lonely = ClusterClient(hosts: [host(bad)], resolver: offlineResolver())
    do throws(ClusterError) { _ = try await lonely.request(ClusterRequest("/x")) } catch {
      #expect(error.cause == .status(503))
      #expect(error.description.hasSuffix("/x: 503: the server has no leader, or is overloaded"))
    }
    await bad.close()
    await good.close()
  }

  @Test("a redirect without a scheme is followed with the body, and the leader is asked first after it")
  @ControlActor func redirect() async throws {
    let log = Log()
    let leader = try server { request in
      log.lines.append("\(request.method) \(request.path) \(String(decoding: request.body, as: UTF8.self))")
      return .text("leader")
    }
    let port = leader.address!.port
    let standby = try server { request in
      log.lines.append("standby")
      return ControlResponse(
        status: 307, headers: ControlHeaders(["Location": "//127.0.0.1:\(port)\(request.path)"]))
    }
    let client = ClusterClient(hosts: [host(standby)], resolver: offlineResolver())
    for _ in 0..<2 {
      let answer = try await client.request(ClusterRequest("POST", "/api/v1", body: Array("{}".utf8)))
      #expect(answer.host == host(leader))
    }
    #expect(log.lines == ["standby", "POST /api/v1 {}", "POST /api/v1 {}"])
    await leader.close()
    await standby.close()
  }

  @Test("servers that send each other's clients round in circles are told of")
  @ControlActor func circle() async throws {
    let server = try server { ControlResponse(status: 302, headers: ControlHeaders(["Location": $0.path])) }
    let client = ClusterClient(hosts: [host(server)], resolver: offlineResolver())
    do throws(ClusterError) { _ = try await client.request(ClusterRequest("/x")) } catch {
      #expect(error.cause == .redirect)
    }
    await server.close()
  }

  @Test("basic and bearer credentials are shown; a token's file is read again when it changes")
  @ControlActor func credentials() async throws {
    let directory = TemporaryDirectory()
    directory.replace("token", "one\n")
    let server = try server { .text($0.headers["Authorization"] ?? "none") }
    @ControlActor func shown(_ credentials: ClusterCredentials) async throws -> String {
      let client = ClusterClient(hosts: [host(server)], resolver: offlineResolver(), credentials: credentials)
      return String(decoding: try await client.request(ClusterRequest("/")).body.dropLast(), as: UTF8.self)
    }
    #expect(try await shown(.none) == "none")
    #expect(try await shown(.basic(user: "u", password: "p:w")) == "Basic dTpwOnc=")
    #expect(try await shown(.bearer("t")) == "Bearer t")
    let client = ClusterClient(
      hosts: [host(server)], resolver: offlineResolver(), credentials: .bearerFile(directory.path + "/token"))
    #expect(try await client.request(ClusterRequest("/")).body == Array("Bearer one\n".utf8))
    directory.replace("token", "two")
    #expect(try await client.request(ClusterRequest("/")).body == Array("Bearer two\n".utf8))
    await server.close()
  }

  private static let rsaKey: String = {
    let process = SpawnedProcess()
    process.executableURL = URL(filePath: "/usr/bin/openssl")
    process.arguments = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = Pipe()
    try! process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
  }()

  @Test("a service account logs in once for all who ask, and again when its token is refused")
  @ControlActor func serviceAccount() async throws {
    let log = Log()
    let server = try server { request in
      if request.path == "/acs/api/v1/auth/login" {
        log.lines.append(String(decoding: request.body, as: UTF8.self))
        log.tokens += 1
        try? await ControlActor.sleep(milliseconds: 20)
        return ControlResponse(contentType: "application/json", Array(#"{"token":"t\#(log.tokens)"}"#.utf8))
      }
      return ControlResponse(status: request.headers["Authorization"] == "token=t\(log.tokens)" ? 200 : 401)
    }
    let json = try JSONSerialization.data(withJSONObject: [
      "uid": "router", "private_key": Self.rsaKey, "scheme": "RS256",
      "login_endpoint": "http://127.0.0.1:\(server.address!.port)/acs/api/v1/auth/login",
    ])
    let account = try ServiceAccount(json: [UInt8](json))
    let client = ClusterClient(
      hosts: [host(server)], resolver: offlineResolver(), credentials: .serviceAccount(account))
    async let a = client.request(ClusterRequest("/a"))
    async let b = client.request(ClusterRequest("/b"))
    let statuses = [try await a.status, try await b.status]
    #expect(statuses == [200, 200] && client.logins == 1)
    log.tokens += 1
    async let c = client.request(ClusterRequest("/c"))
    async let d = client.request(ClusterRequest("/d"))
    let more = [try await c.status, try await d.status]
    #expect(more == [200, 200] && client.logins == 2)
    // The token is signed so that the public key proves it.
    let body = try #require(try JSONSerialization.jsonObject(with: Data(log.lines[0].utf8)) as? [String: String])
    let parts = try #require(body["token"]).split(separator: ".").map(String.init)
    #expect(parts.count == 3 && body["uid"] == "router")
    #expect(try verify(parts))
    await server.close()
  }

  @Test("a service account's file that changes is read again; one that cannot be used changes nothing")
  @ControlActor func serviceAccountFile() async throws {
    let log = Log()
    let server = try server { request in
      if request.path == "/login" {
        let body = try? JSONSerialization.jsonObject(with: Data(request.body)) as? [String: String]
        let uid = body?["uid"] ?? ""
        log.lines.append(uid)
        if uid == "stranger" { return ControlResponse(status: 401) }
        return ControlResponse(contentType: "application/json", Array(#"{"token":"\#(uid)"}"#.utf8))
      }
      log.lines.append(request.headers["Authorization"] ?? "")
      return ControlResponse(status: 200)
    }
    let directory = TemporaryDirectory()
    let path = directory.path + "/account.json"
    func write(_ text: String) throws {
      try text.write(toFile: path + ".new", atomically: false, encoding: .utf8)
      rename(path + ".new", path)
    }
    func write(uid: String) throws {
      let json = try JSONSerialization.data(withJSONObject: [
        "uid": uid, "private_key": Self.rsaKey,
        "login_endpoint": "http://127.0.0.1:\(server.address!.port)/login",
      ])
      try write(String(decoding: json, as: UTF8.self))
    }
    try write(uid: "first")
    let client = ClusterClient(
      hosts: [host(server)], resolver: offlineResolver(),
      credentials: .serviceAccount(try ServiceAccount(file: path), file: path))
    func ask() async throws -> [String] {
      log.lines = []
      _ = try await client.request(ClusterRequest("/"))
      return log.lines
    }
    #expect(try await ask() == ["first", "token=first"])
    try write(uid: "second")
    #expect(try await ask() == ["second", "token=second"])
    try write(uid: "second")
    #expect(try await ask() == ["token=second"])
    for text in ["", "{", #"{"uid":"a"}"#] {
      try write(text)
      #expect(try await ask() == ["token=second"])
    }
    unlink(path)
    #expect(try await ask() == ["token=second"])
    try write(uid: "stranger")
    do {
      _ = try await ask()
      Issue.record("no error")
    } catch {
      #expect("\(error)".contains("login of stranger"))
    }
    try write(uid: "third")
    #expect(try await ask() == ["third", "token=third"])
    await server.close()
  }

  /// By the `openssl` command.
  private func verify(_ parts: [String]) throws -> Bool {
    let directory = TemporaryDirectory()
    var text = parts[2].replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
    text += String(repeating: "=", count: (4 - text.count % 4) % 4)
    let signature = try #require(Data(base64Encoded: text))
    try signature.write(to: URL(filePath: directory.path + "/signature"))
    try Data((parts[0] + "." + parts[1]).utf8).write(to: URL(filePath: directory.path + "/text"))
    try Data(Self.rsaKey.utf8).write(to: URL(filePath: directory.path + "/key"))
    let process = SpawnedProcess()
    process.executableURL = URL(filePath: "/usr/bin/openssl")
    process.currentDirectoryURL = URL(filePath: directory.path)
    process.arguments = ["dgst", "-sha256", "-prverify", "key", "-signature", "signature", "text"]
    process.standardOutput = Pipe()
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  @Test("wrong credentials and damaged service accounts give errors with a remedy")
  @ControlActor func refused() async throws {
    let server = try server { _ in ControlResponse(status: 401) }
    let client = ClusterClient(
      hosts: [host(server)], resolver: offlineResolver(), credentials: .basic(user: "u", password: "p"))
    do throws(ClusterError) {
      _ = try await client.request(ClusterRequest("/v2/apps"))
      Issue.record("was let in")
    } catch {
      #expect(error.cause == .refused)
      #expect(error.description.contains("/v2/apps: 401: the credentials are missing or wrong"))
    }
    #expect(throws: ClusterError.self) { try ServiceAccount(json: Array(#"{"uid":"a"}"#.utf8)) }
    #expect(throws: ClusterError.self) { try ServiceAccount(json: Array(#"{"uid":"#.utf8)) }
    await server.close()
  }

  /// By the `gzip` command.
  private func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
    let directory = TemporaryDirectory()
    try Data(bytes).write(to: URL(filePath: directory.path + "/plain"))
    let process = SpawnedProcess()
    process.executableURL = URL(filePath: "/usr/bin/gzip")
    process.arguments = [directory.path + "/plain"]
    try process.run()
    process.waitUntilExit()
    return [UInt8](try Data(contentsOf: URL(filePath: directory.path + "/plain.gz")))
  }

  @Test("a gzip-encoded answer is read in any pieces; damage, a cut and a bomb are told")
  @ControlActor func compressed() async throws {
    let plain = Array((0..<20_000).map { "line \($0)\n" }.joined().utf8)
    let packed = try gzip(plain)
    let log = Log()
    log.sent = packed
    let server = try server { request in
      #expect(request.headers["Accept-Encoding"] == "gzip")
      let (bytes, step) = (log.sent, log.pieceBytes)
      return ControlResponse(
        headers: ControlHeaders(["Content-Encoding": "gzip"]),
        body: .stream { writer in
          for start in stride(from: 0, to: bytes.count, by: step) {
            try await writer.write(Array(bytes[start..<min(start + step, bytes.count)]))
          }
        })
    }
    var options = ClusterClient.Options()
    options.bodyBytesMax = plain.count
    let client = ClusterClient(hosts: [host(server)], resolver: offlineResolver(), options: options)
    for step in [7, 1_000, 1 << 20] {
      log.pieceBytes = step
      let answer = try await client.request(ClusterRequest("/"))
      #expect(answer.body == plain && answer.receivedBytes == packed.count)
    }
    @ControlActor func failure() async -> ClusterError? {
      do throws(ClusterError) { _ = try await client.request(ClusterRequest("/")) } catch { return error }
      return nil
    }
    log.sent = Array(packed[..<(packed.count / 2)])
    #expect(await failure()?.cause == .malformed)
    log.sent = packed
    log.sent[packed.count / 2] ^= 0xff
    log.sent[packed.count / 2 + 1] ^= 0xff
    #expect(await failure()?.cause == .malformed)
    log.sent = try gzip([UInt8](repeating: 0x20, count: 50 << 20))
    #expect(await failure()?.cause == .tooLarge)
    await server.close()
  }

  @Test("a stream that falls silent ends with a time-out, a slow answer too")
  @ControlActor func silence() async throws {
    let server = try server { request in
      if request.path == "/slow" { try? await ControlActor.sleep(milliseconds: 5_000) }
      return ControlResponse(
        body: .watch { writer in
          try await writer.write("hello")
          try await ControlActor.sleep(milliseconds: 60_000)
        })
    }
    let client = ClusterClient(hosts: [host(server)], resolver: offlineResolver())
    let stream = try await client.open(ClusterRequest("/"))
    stream.pieceMilliseconds = 50
    #expect(try await stream.next() == Array("hello".utf8))
    do throws(ClusterError) {
      _ = try await stream.next()
      Issue.record("something came")
    } catch { #expect(error.cause == .timeout) }
    do throws(ClusterError) {
      _ = try await client.request(ClusterRequest("/slow", responseMilliseconds: 50))
      Issue.record("an answer came")
    } catch { #expect(error.cause == .timeout) }
    await server.close()
  }

  @Test("an unknown host name says that it is the name")
  @ControlActor func unknownName() async {
    let client = ClusterClient(hosts: [ClusterHost(host: "nowhere.invalid", port: 80)], resolver: offlineResolver())
    do throws(ClusterError) { _ = try await client.request(ClusterRequest("/")) } catch {
      #expect(error.description.contains("known to this host's DNS"))
    }
  }

  @Test("waits grow to their bound, are spread from the first on, and start over after a good time")
  func delays() {
    var random = SeededRandom(seed: 1)
    let firsts = (0..<500).map { _ in
      var delay = ReconnectDelay(firstMilliseconds: 1_000)
      return delay.next(using: &random)
    }
    #expect(firsts.allSatisfy { (100...1_000).contains($0) } && Set(firsts).count > 300)
    var delay = ReconnectDelay(firstMilliseconds: 1_000, longestMilliseconds: 8_000, goodMilliseconds: 10_000)
    let waits = (0..<50).map { _ in delay.next(using: &random) }
    #expect(waits.allSatisfy { $0 <= 8_000 } && waits.max()! > 6_000)
    delay.ended(afterMilliseconds: 9_000)
    #expect(delay.failuresInARow == 50)
    delay.ended(afterMilliseconds: 10_000)
    #expect(delay.failuresInARow == 0)
  }
}
