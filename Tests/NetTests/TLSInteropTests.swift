import Foundation
import HTTP
import MeshBase
import TestSupport
import Testing

@testable import Net

/// Against the real `openssl` and `curl`.
@Suite struct TLSInteropTests {
  private let files = TLSTestFiles.shared

  /// Runs a program on a thread of its own, so that the control thread can serve it.
  private func run(_ program: String, _ arguments: String, input: String? = nil) async -> (
    status: Int32, output: String
  ) {
    await withCheckedContinuation { continuation in
      Thread.start(name: "run") { [files] in
        let words = arguments.split(separator: " ").map(String.init)
        let result = Tool.run("/usr/bin/" + program, words, input: input, in: files.directory)
        continuation.resume(returning: (result.status, result.output))
      }
    }
  }

  @ControlActor private func server(
    _ certificates: [String] = ["web", "api"], _ change: (inout TLSServerContext.Options) -> Void = { _ in }
  ) throws -> ControlHTTPServer {
    var options = TLSServerContext.Options(certificates: certificates.map(files.files))
    change(&options)
    return try ControlHTTPServer(on: .loopback(port: 0), tls: try TLSServerContext(options)) { request in
      switch request.path {
      case "/large":
        ControlResponse(status: 200, contentType: "text/plain", [UInt8](repeating: 0x61, count: 5_000_000))
      default: .text(status: 200, "\(request.method) \(request.path) \(request.body.count)")
      }
    }
  }

  private func curl(_ server: ControlHTTPServer, _ path: String, _ arguments: String = "") async -> (Int32, String) {
    let port = await server.address!.port
    return await run(
      "curl",
      "-sS --max-time 8 --cacert \(files.ca) --resolve web.test:\(port):127.0.0.1 --resolve api.test:\(port):127.0.0.1"
        + " \(arguments) https://web.test:\(port)\(path)")
  }

  @Test("curl gets and sends megabytes", arguments: ["--tlsv1.3", "--tls-max 1.2"])
  @ControlActor func curlTransfers(version: String) async throws {
    let server = try server()
    #expect(await curl(server, "/x", version) == (0, "GET /x 0\n"))
    let large = await curl(server, "/large", version)
    #expect(large.0 == 0)
    #expect(large.1.utf8.count == 5_000_000)
    try Data(repeating: 7, count: 900_000).write(to: URL(fileURLWithPath: files.path("upload")))
    let sent = await curl(server, "/up", version + " --data-binary @\(files.path("upload"))")
    #expect(sent == (0, "POST /up 900000\n"))
    await server.close()
  }

  @Test("plain HTTP to a port that speaks TLS is answered in clear text")
  @ControlActor func plainHTTP() async throws {
    let server = try server()
    let answer = await run("curl", "-sS -i --max-time 8 http://127.0.0.1:\(server.address!.port)/")
    #expect(answer.0 == 0)
    #expect(answer.1.hasPrefix("HTTP/1.1 400 ") && answer.1.contains("this port speaks TLS: use https://"))
    await server.close()
  }

  @Test("curl is refused without a client certificate, and served with one")
  @ControlActor func curlClientCertificate() async throws {
    let server = try server {
      $0.clientAuth = .required
      $0.clientTrust = .files([files.ca])
    }
    let without = await curl(server, "/")
    #expect(without.0 != 0)
    #expect(without.1.contains("certificate required"))
    let with = await curl(server, "/", "--cert \(files.path("client.pem")) --key \(files.path("client.key"))")
    #expect(with == (0, "GET / 0\n"))
    await server.close()
  }

  @Test("s_client sees the certificate of its name, resumes, and may not renegotiate")
  @ControlActor func sClient() async throws {
    let server = try server()
    let port = server.address!.port
    let connect = "s_client -connect 127.0.0.1:\(port) -CAfile \(files.ca) -verify_return_error"
    let get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    let api = await run("openssl", connect + " -servername api.test -ign_eof", input: get)
    #expect(api.output.contains("subject=O = Mesh, CN = api"))
    #expect(api.output.contains("Verify return code: 0 (ok)"))
    #expect(api.output.contains("GET / 0"))
    for version in ["-tls1_2", "-tls1_3"] {
      let session = files.path("session\(version)")
      let first = await run("openssl", connect + " \(version) -ign_eof -sess_out \(session)", input: get)
      #expect(first.output.contains("New, TLSv1"), "\(first.output)")
      let second = await run("openssl", connect + " \(version) -ign_eof -sess_in \(session)", input: get)
      #expect(second.output.contains("Reused, TLSv1"), "\(version)")
    }
    let old = await run("openssl", connect + " -tls1_1", input: get)
    #expect(old.status != 0)
    let renegotiation = await run("openssl", connect + " -tls1_2", input: "R\n")
    #expect(renegotiation.output.contains("no renegotiation"))
    await server.close()
  }

  @Test("the client speaks to s_server, and says what is wrong with it")
  @ControlActor func sServer() async throws {
    let port = UInt16.random(in: 20_000...29_000)
    let process = SpawnedProcess()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.currentDirectoryURL = URL(fileURLWithPath: files.directory)
    process.arguments = ["s_server", "-accept", "\(port)", "-cert", "web.pem", "-key", "web.key", "-www", "-quiet"]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    defer { process.terminate() }
    var options = TLSClientContext.Options()
    options.trust = .files([files.ca])
    let context = try TLSClientContext(options)
    let address = SocketAddress.loopback(port: port)
    var answer: ControlClientResponse?
    for _ in 0..<100 where answer == nil {
      let client = ControlHTTPClient(to: address, security: .init(context, expectedName: "web.test"))
      answer = try? await client.request("GET", "/")
      if answer == nil { try await ControlActor.sleep(milliseconds: 30) }
    }
    #expect(answer?.status == 200)
    #expect(answer?.text.contains("s_server") == true)
    let stranger = ControlHTTPClient(to: address, security: .init(context, expectedName: "other.test"))
    do {
      _ = try await stranger.request("GET", "/")
      Issue.record("a wrong name was accepted")
    } catch {
      #expect("\(error)".contains("TLS: expected a certificate for other.test, got CN=web,O=Mesh for web.test"))
    }
  }

  @Test("new connections get the new certificate while old ones go on")
  @ControlActor func swaps() async throws {
    let server = try server(["web"])
    var options = TLSClientContext.Options()
    options.trust = .files([files.ca])
    let context = try TLSClientContext(options)
    let old = ControlHTTPClient(to: server.address!, security: .init(context, expectedName: "web.test"))
    #expect(try await old.request("GET", "/1").text == "GET /1 0\n")
    server.tls = try TLSServerContext(.init(certificates: [files.files("api")]))
    let new = ControlHTTPClient(to: server.address!, security: .init(context, expectedName: "api.test"))
    #expect(try await new.request("GET", "/2").text == "GET /2 0\n")
    #expect(try await old.request("GET", "/3").text == "GET /3 0\n")
    #expect(server.connectionCount == 2)
    await server.close()
  }
}
