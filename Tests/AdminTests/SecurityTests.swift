import Foundation
import MeshBase
import Net
import Testing

@testable import Admin

@Suite struct SecurityTests {
  @Test("with a token set, requests without it or with another are refused")
  @ControlActor func token() async throws {
    var options = AdminOptions()
    options.token = "s3cret"
    let bench = try Bench(options)
    let none = try await bench.get("/admin/ping")
    #expect(none.status == 401 && none.headers["WWW-Authenticate"] == "Bearer realm=\"meshrouter\"")
    for wrong in ["Bearer", "Bearer s3cre", "Bearer s3crets", "Bearer S3cret", "Basic s3cret", "s3cret"] {
      #expect(try await bench.get("/admin/ping", ["Authorization": wrong]).status == 401, "\(wrong)")
    }
    #expect(try await bench.get("/admin/ping", ["Authorization": "bearer s3cret"]).status == 200)
    #expect(try await bench.send("POST", "/admin/shutdown", ["Authorization": "Bearer s3cret"]).status == 202)
    await bench.close()

    options.readsNeedNoToken = true
    let open = try Bench(options)
    #expect(try await open.get("/admin/ping").status == 200)
    #expect(try await open.send("POST", "/admin/shutdown").status == 401)
    #expect(try await open.get("/admin/ping", ["Authorization": "Bearer no"]).status == 401)
    await open.close()
  }

  @Test("an empty or repeated guess is not the token")
  @ControlActor func comparison() {
    #expect(AdminGate.isEqual(Array("ab".utf8), Array("ab".utf8)))
    for wrong in ["", "a", "abab", "ac", "ba"] { #expect(!AdminGate.isEqual(Array(wrong.utf8), Array("ab".utf8))) }
    #expect(!AdminGate.isEqual([0], []))
  }

  @Test("pages of other sites change nothing, this server's own may")
  @ControlActor func origins() async throws {
    let bench = try Bench()
    let host = bench.server.address!.description
    func post(_ headers: KeyValuePairs<String, String>) async throws -> Int {
      try await bench.send("POST", "/admin/reload", headers).status
    }
    #expect(try await post([:]) == 200)
    #expect(try await post(["Origin": "http://\(host)"]) == 200)
    #expect(try await post(["Sec-Fetch-Site": "same-origin", "Origin": "http://\(host)"]) == 200)
    for site in ["cross-site", "same-site"] { #expect(try await post(["Sec-Fetch-Site": site]) == 403) }
    for origin in ["http://evil.example", "null", "http://\(host).evil.example", "http://127.0.0.1"] {
      #expect(try await post(["Origin": origin]) == 403, "\(origin)")
    }
    #expect(try await post(["Host": "evil.example", "Origin": "http://evil.example"]) == 403)
    #expect(try await post(["Host": "evil.example"]) == 403)
    await bench.close()
  }

  @Test("browsers must call the host by a name of its own, programs that read need not")
  @ControlActor func hosts() async throws {
    var options = AdminOptions()
    options.hostNames = ["mesh.example.org"]
    let bench = try Bench(options)
    let browser = "Mozilla/5.0 (X11)"
    for host in ["localhost:9990", "127.0.0.1", "[::1]:9990", "NODE-17:9990", "mesh.example.org", "a.localhost"] {
      #expect(try await bench.get("/admin/ping", ["Host": host, "User-Agent": browser]).status == 200, "\(host)")
    }
    for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:9990"] {
      #expect(try await bench.get("/admin/ping", ["Host": host, "User-Agent": browser]).status == 403, "\(host)")
      #expect(try await bench.get("/admin/ping", ["Host": host, "Accept-Language": "en"]).status == 403)
      #expect(try await bench.get("/admin/ping", ["Host": host, "User-Agent": "Prometheus/2.42"]).status == 200)
    }
    await bench.close()
  }

  @Test("parts can be switched off; lists of paths make exceptions")
  @ControlActor func parts() async throws {
    var options = AdminOptions()
    options.isUIEnabled = false
    options.isControlEnabled = false
    options.isDiagnosticsEnabled = false
    options.pathWhitelist = ["/admin/metrics(\\.json)?", "/api/1/dtabs/w.*"]
    options.pathBlacklist = ["secret", "^/admin/ready$"]
    let bench = try Bench(options)
    for path in ["/", "/config.json", "/api/1/dtabs", "/admin/metrics/prometheus"] {
      let refused = try await bench.get(path)
      #expect(refused.status == 403 && refused.text.contains("admin.security."), "\(path)")
    }
    #expect(try await bench.get("/admin/ping").status == 200)
    #expect(try await bench.get("/admin/metrics").status == 200)
    #expect(try await bench.send("PUT", "/api/1/dtabs/web", body: "/a => /b").status == 204)
    #expect(try await bench.send("PUT", "/api/1/dtabs/w-secret", body: "/a => /b").status == 403)
    for path in ["/admin/ready", "/admin/ready/", "/admin/%72eady"] { #expect(try await bench.get(path).status == 403) }
    await bench.close()
    options.pathBlacklist = ["("]
    #expect(throws: AdminRefusal.self) { _ = try Bench(options) }
  }

  @Test("over the Unix socket any name will do")
  @ControlActor func unixSocket() async throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("a-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let source = FakeSource()
    let server = try AdminServer(on: nil, unixSocket: path, source: source)
    let client = ControlHTTPClient(to: .unixSocket(path), host: "anything")
    #expect(try await client.request("POST", "/admin/shutdown").status == 202)
    #expect(source.isShutDown)
    // Its owner may say which program takes over.
    #expect(try await client.request("POST", "/admin/upgrade?binary=/opt/new").status == 200)
    #expect(source.upgrades.last?.binary == "/opt/new")
    #expect(try await client.request("POST", "/admin/upgrade?binary=new").status == 400)
    client.close()
    await server.close()
  }
}
