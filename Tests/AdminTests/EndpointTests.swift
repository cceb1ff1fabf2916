import Foundation
import MeshBase
import Net
import Testing

@testable import Admin

@Suite struct EndpointTests {
  private func json(_ response: ControlClientResponse) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(response.body), options: .fragmentsAllowed)
  }

  @Test("every listed page answers, with its security headers")
  @ControlActor func everything() async throws {
    let bench = try Bench()
    _ = try bench.source.store.create("default", "/a => /b", author: "", reason: "")
    for route in bench.server.routes where route.methods.contains("GET") {
      var path = route.pattern.replacing("{namespace}", with: "default").replacing("{+prefix}", with: "io.l5d.fs.json")
      if route.summary.contains("?path") || path.contains("delegate") || path.contains("/addr/") {
        path += "?path=/svc/web"
      }
      if path == "/api/2/why" { path += "?url=http://web/" }
      for method in ["GET", "HEAD"] {
        let response = try await bench.send(method, path)
        #expect(
          response.status == 200 || response.status == 204, "\(method) \(path): \(response.status) \(response.text)")
        #expect(response.headers["X-Content-Type-Options"] == "nosniff")
        #expect(response.headers["Content-Security-Policy"]?.hasPrefix("default-src 'none'") == true)
        if method == "HEAD" { #expect(response.body == []) }
        if response.headers["Content-Type"]?.hasPrefix("application/json") == true && method == "GET" {
          #expect(throws: Never.self) { _ = try json(response) }
        }
      }
    }
    await bench.close()
  }

  @Test("ping, ready and server_info say how the process is")
  @ControlActor func process() async throws {
    let bench = try Bench()
    #expect(try await bench.get("/admin/ping").text == "pong\n")
    #expect(try await bench.get("/admin/ready").status == 200)
    bench.source.unreadiness = "draining"
    let unready = try await bench.get("/admin/ready")
    #expect(unready.status == 503 && unready.text == "not ready: draining\n")
    let info = try #require(try json(try await bench.get("/admin/server_info")) as? [String: Any])
    #expect(info["version"] as? String == "1.2.3" && info["host"] as? String == "node-17" && info["pid"] as? Int == 42)
    await bench.close()
  }

  @Test("wrong methods get 405 with Allow, unknown paths 404 with near ones")
  @ControlActor func wrong() async throws {
    let bench = try Bench()
    let method = try await bench.send("POST", "/admin/ping")
    #expect(method.status == 405 && method.headers["Allow"] == "GET, HEAD, OPTIONS")
    let get = try await bench.get("/admin/shutdown")
    #expect(get.status == 405 && get.headers["Allow"] == "POST, OPTIONS")
    #expect(!bench.source.isShutDown)
    let options = try await bench.send("OPTIONS", "/api/1/dtabs/web")
    #expect(options.status == 204 && options.headers["Allow"] == "GET, HEAD, POST, PUT, DELETE, OPTIONS")
    let near = try await bench.get("/admin/metricz")
    #expect(near.status == 404 && near.text.contains("did you mean /admin/metrics"))
    #expect(try await bench.get("/api/1/dtabs/web/nonsense").status == 404)
    #expect(try await bench.get("/admin/ping/").status == 200)
    await bench.close()
  }

  @Test("shutdown, reload and logging do what they say")
  @ControlActor func control() async throws {
    let bench = try Bench()
    let applied = try await bench.send("POST", "/admin/reload")
    #expect(applied.status == 200 && applied.text == "{\"applied\":true}")
    #expect(try await bench.send("POST", "/admin/reload?dryRun").text.contains("plan"))
    bench.source.reloadResult = AdminReload(isAccepted: false, json: "{\"applied\":false}")
    let refused = try await bench.send("POST", "/admin/reload")
    #expect(refused.status == 422 && refused.text == "{\"applied\":false}")
    #expect(try await bench.send("POST", "/admin/upgrade?timeoutMs=1500").text == "{\"upgraded\":true}")
    #expect(bench.source.upgrades.last?.timeoutMilliseconds == 1_500)
    for (outcome, status) in [(AdminUpgrade.Outcome.refused, 409), (.failed, 422)] {
      bench.source.upgradeResult = AdminUpgrade(outcome, json: "{}")
      #expect(try await bench.send("POST", "/admin/upgrade").status == status)
    }
    #expect(try await bench.send("POST", "/admin/upgrade?timeoutMs=soon").status == 400)
    #expect(try await bench.send("POST", "/admin/upgrade?binary=/bin/sh").status == 403)
    #expect(try await bench.get("/admin/upgrade").status == 405)
    #expect(bench.source.upgrades.count == 3)
    #expect(try await bench.send("POST", "/admin/logging?logger=dtab&level=DEBUG").status == 200)
    #expect(bench.source.levels["dtab"] == "debug")
    let form: KeyValuePairs = ["Content-Type": "application/x-www-form-urlencoded"]
    #expect(try await bench.send("POST", "/logging.json", form, body: "logger=dtab&level=info").status == 200)
    #expect(try await bench.get("/logging.json").text.contains("{\"logger\":\"dtab\",\"level\":\"info\"}"))
    #expect(try await bench.send("POST", "/admin/logging?logger=x&level=info").status == 404)
    #expect(try await bench.send("POST", "/admin/logging").status == 400)
    for wrong in ["-1", "1s", "86400001"] {
      #expect(try await bench.send("POST", "/admin/shutdown?graceMs=\(wrong)").status == 400)
    }
    #expect(!bench.source.isShutDown)
    let shutdown = try await bench.send("POST", "/admin/shutdown")
    #expect(shutdown.status == 202 && shutdown.text == "draining for at most 10000 ms\n")
    #expect(try await bench.send("POST", "/admin/shutdown?graceMs=50").text == "draining for at most 50 ms\n")
    #expect(bench.source.isShutDown)
    await bench.close()
  }

  @Test("metrics come as JSON, flat or as a tree, and for Prometheus under either set of names")
  @ControlActor func metrics() async throws {
    let bench = try Bench()
    let router = bench.source.registry.router("web")
    router.service("/svc/web")[0].requestBegan()
    router.service("/svc/web")[0].requestEnded(success: true, microseconds: 900)
    let flat = try #require(try json(try await bench.get("/admin/metrics")) as? [String: Any])
    #expect(flat["rt/web/service/svc/web/requests"] as? Int == 1)
    let tree = try #require(try json(try await bench.get("/admin/metrics.json?tree=true")) as? [String: Any])
    #expect(tree["rt"] is [String: Any])
    let part = try await bench.get("/admin/metrics.json?q=rt/web/service/svc/web&pretty=true")
    #expect(part.text.contains("\n") && part.text.contains("requests"))
    let none = try await bench.get("/admin/metrics.json?q=rt/none")
    #expect(none.status == 404 && none.text.contains("rt/none"))
    let ours = try await bench.get("/admin/metrics/prometheus?service=/svc/web")
    #expect(ours.headers["Content-Type"]?.hasPrefix("text/plain; version=0.0.4") == true)
    #expect(ours.text.contains("meshrouter_service_requests_total"))
    #expect(!ours.text.contains("meshrouter_worker"))
    #expect(try await bench.get("/admin/metrics/prometheus?names=linkerd").text.contains("rt:service:requests"))
    #expect(try await bench.get("/admin/metrics/prometheus?names=envoy").status == 400)
    await bench.close()
  }

  @Test("names are delegated, bound, resolved and explained")
  @ControlActor func names() async throws {
    let bench = try Bench()
    let delegated = try #require(try json(try await bench.get("/delegator.json?path=/svc/web")) as? [String: Any])
    #expect(delegated["type"] as? String == "delegate")
    let leaf = try #require(delegated["delegate"] as? [String: Any])
    #expect(leaf["type"] as? String == "leaf")
    #expect((leaf["dentry"] as? [String: String]) == ["prefix": "/svc", "dst": "/#/io.l5d.fs"])
    let bound = try #require(leaf["bound"] as? [String: Any])
    #expect(bound["id"] as? String == "/#/io.l5d.fs/web" && bound["path"] as? String == "/")
    let addr = try #require(bound["addr"] as? [String: Any])
    #expect(addr["type"] as? String == "bound")
    #expect(((addr["addrs"] as? [[String: Any]])?.first?["ip"]) as? String == "127.0.0.1")

    let text = try await bench.get("/delegator.json?path=/svc/wep&router=web&format=text").text
    #expect(text.contains("~ (unknown)") && text.contains("near: /#/io.l5d.fs/web"))
    let override = try await bench.get("/api/1/delegate?path=/x&dtab=/x%3D%3E/svc/web")
    #expect(override.text.contains("/#/io.l5d.fs/web"))
    #expect(try await bench.get("/delegator.json?path=svc").status == 400)
    #expect(try await bench.get("/delegator.json?path=svc").text.contains("^"))
    #expect(try await bench.get("/delegator.json").text.contains("?path=/svc/web"))
    #expect(try await bench.get("/delegator.json?path=/x&router=wep").text.contains("web"))

    let union = try #require(try json(try await bench.get("/api/1/bind/default?path=/split")) as? [String: Any])
    #expect((union["union"] as? [[String: Any]])?.compactMap { $0["weight"] as? Double } == [1, 3])
    var ports: Set<Int> = []
    for _ in 0..<60 {
      let set = try #require(try json(try await bench.get("/api/1/resolve/default?path=/split")) as? [String: Any])
      ports.insert(((set["addrs"] as? [[String: Any]])?.first?["port"]) as? Int ?? 0)
    }
    #expect(ports == [8_080, 8_081])
    for id in ["/%23/io.l5d.fs/web", "/%25/io.l5d.port/1/%23/io.l5d.fs/web"] {
      #expect(try await bench.get("/api/1/addr/default?path=\(id)").text.contains("\"port\":8080"))
    }
    #expect(try await bench.get("/api/1/addr/default?path=/%23/none").text == "{\"type\":\"neg\"}")
    #expect(try await bench.get("/api/1/bind/nowhere?path=/x").status == 404)
    #expect(try await bench.get("/bound-names.json").text == "[\"/#/io.l5d.fs/api\",\"/#/io.l5d.fs/web\"]")
    #expect(try await bench.get("/client_state.json").text.contains("\"staleMilliseconds\":7"))
    #expect(try await bench.get("/namer_state/io.l5d.fs.json").text == "{\"kind\":\"io.l5d.fs\"}")
    #expect(try await bench.get("/namer_state/zk.json").text.contains("/#/io.l5d.fs"))

    let why = try await bench.get("/api/2/why?url=http://web/&method=POST&header=A:%20b&header=C:d")
    #expect(why.text == "{\"routable\":true}")
    let query = try #require(bench.source.whyQueries.last)
    #expect(query.method == "POST" && query.headers.map { "\($0.name)=\($0.value)" } == ["A=b", "C=d"])
    #expect(try await bench.get("/api/2/why?url=http://web/", ["Accept": "text/plain"]).text.hasPrefix("verdict"))
    #expect(try await bench.get("/api/2/why?url=x%20y").status == 400)
    #expect(try await bench.get("/api/2/why").status == 400)
    await bench.close()
  }

  @Test("the overview escapes what it shows, names what is wrong and asks nobody else for anything")
  @ControlActor func page() async throws {
    let bench = try Bench()
    bench.source.problems = ["namer <x> is stale"]
    let page = try await bench.get("/")
    #expect(page.text.contains("namer &lt;x&gt; is stale") && page.text.contains("&lt;api&gt;"))
    #expect(!page.text.contains("<api>") && !page.text.contains("http://") && !page.text.contains("<script"))
    #expect(page.text.contains("node-17 · pid 42 · version 1.2.3"))
    #expect(page.headers["Content-Security-Policy"]?.contains("style-src 'self'") == true)
    #expect(try await bench.get("/files/admin.css").headers["Content-Type"]?.hasPrefix("text/css") == true)
    await bench.close()
  }
}
