import MeshBase
import Net
import Testing

@testable import Admin

@Suite struct DtabEndpointTests {
  private let dtab: KeyValuePairs = ["Content-Type": "application/dtab"]

  @Test("a dtab is created, read in both forms, changed, deleted")
  @ControlActor func lifeCycle() async throws {
    let bench = try Bench()
    let text = "# web\n/svc => /#/io.l5d.fs ;\n"
    #expect(try await bench.get("/api/1/dtabs").text == "[]")
    #expect(try await bench.get("/api/1/dtabs/web").status == 404)
    let created = try await bench.send("POST", "/api/1/dtabs/web", dtab, body: text)
    #expect(created.status == 204 && created.headers["ETag"] == "\"AAAAAAAAAAE=\"")
    #expect(try await bench.send("POST", "/api/1/dtabs/web", dtab, body: text).status == 409)
    #expect(try await bench.get("/api/1/dtabs").text == "[\"web\"]")

    let json = try await bench.get("/api/1/dtabs/web")
    #expect(json.text == "[{\"prefix\":\"/svc\",\"dst\":\"/#/io.l5d.fs\"}]")
    #expect(json.headers["Content-Type"] == "application/json;charset=utf-8")
    let plain = try await bench.get("/api/1/dtabs/web", ["Accept": "application/dtab"])
    #expect(plain.text == text && plain.headers["Dtab-Version"] == "1")
    #expect(try await bench.send("HEAD", "/api/1/dtabs/web").headers["ETag"] == "\"AAAAAAAAAAE=\"")
    #expect(try await bench.get("/api/1/dtabs/web", ["If-None-Match": "\"AAAAAAAAAAE=\""]).status == 304)

    let put = try await bench.send(
      "PUT", "/api/1/dtabs/web",
      [
        "Content-Type": "application/json", "If-Match": "\"AAAAAAAAAAE=\"", "Dtab-Author": "alice",
        "Dtab-Reason": "canary",
      ],
      body: "[{\"prefix\": \"/svc\", \"dst\": \"/a\\u007c\\t/b\"}, {\"dst\":\"/c\",\"prefix\":\"/x/*\"}]")
    #expect(put.status == 204 && put.headers["Dtab-Version"] == "2", "\(put.text)")
    let got = try await bench.get("/api/1/dtabs/web")
    #expect(got.text == "[{\"prefix\":\"/svc\",\"dst\":\"/a | /b\"},{\"prefix\":\"/x/*\",\"dst\":\"/c\"}]")
    #expect(got.headers["Dtab-Author"] == "alice" && got.headers["Dtab-Reason"] == "canary")

    #expect(try await bench.send("DELETE", "/api/1/dtabs/web", ["If-Match": "1"]).status == 412)
    #expect(try await bench.send("DELETE", "/api/1/dtabs/web", ["If-Match": "2"]).status == 204)
    #expect(try await bench.send("DELETE", "/api/1/dtabs/web").status == 404)
    await bench.close()
  }

  @Test("conditions are kept: If-Match, If-None-Match, neither")
  @ControlActor func conditions() async throws {
    let bench = try Bench()
    func put(_ headers: KeyValuePairs<String, String>) async throws -> Int {
      var all = ControlHeaders(dtab)
      for (name, value) in headers { all.add(name, value) }
      return try await bench.client.request("PUT", "/api/1/dtabs/web", headers: all, body: Array("/a=>/b".utf8)).status
    }
    #expect(try await put(["If-Match": "\"AAAAAAAAAAE=\""]) == 404)
    #expect(try await put(["If-Match": "*"]) == 404)
    #expect(try await put(["If-None-Match": "*"]) == 204)
    #expect(try await put(["If-None-Match": "*"]) == 412)
    #expect(try await put([:]) == 204)
    #expect(try await put(["If-Match": "AAAAAAAAAAE="]) == 412)
    #expect(try await put(["If-Match": "W/\"AAAAAAAAAAI=\""]) == 204)
    #expect(try await put(["If-Match": "*"]) == 204)
    #expect(try await put(["If-Match": "nonsense"]) == 400)
    await bench.close()
  }

  @Test("bad bodies are refused with the place and the remedy, and change nothing")
  @ControlActor func refuses() async throws {
    let bench = try Bench()
    func refusal(_ type: String, _ body: String) async throws -> String {
      let response = try await bench.send("PUT", "/api/1/dtabs/web", ["Content-Type": type], body: body)
      #expect(response.status == 400)
      return response.text
    }
    #expect(try await refusal("application/dtab", "/a => /b ;\n/c = /d").contains("line 2, column 4"))
    #expect(try await refusal("application/dtab", "/a = /d").contains("\n   ^"))
    #expect(try await refusal("application/x-www-form-urlencoded", "/a => /b").contains("--data-binary"))
    #expect(try await refusal("application/json", "{}").contains("byte 0"))
    #expect(try await refusal("application/json", "[{\"prefix\":\"/a\"}]").contains("needs both"))
    #expect(try await refusal("application/json", "[{\"prefix\":\"/a\",\"dst\":\"/b;/c=>/d\"}]").contains("entry 1"))
    #expect(try await refusal("application/json", "[{\"prefix\":\"/a\",\"dts\":\"/b\"}]").contains("`dts`"))
    #expect(try await refusal("application/json", "[] x").contains("nothing may follow"))
    #expect(bench.source.store.list() == [])
    // Without a type the body tells.
    #expect(
      try await bench.send("PUT", "/api/1/dtabs/one", body: " [{\"prefix\":\"/a\",\"dst\":\"/b\"}]").status == 204)
    #expect(try await bench.send("PUT", "/api/1/dtabs/two", body: "/a => /b").status == 204)
    await bench.close()
  }

  @Test("history and roll-back")
  @ControlActor func history() async throws {
    let bench = try Bench()
    for (i, reason) in ["first", "second", "third"].enumerated() {
      _ = try await bench.send("PUT", "/api/1/dtabs/web?author=bob&reason=\(reason)", body: "/a => /\(i)")
    }
    let history = try await bench.get("/api/1/dtabs/web/history?limit=2").text
    #expect(
      history.hasPrefix(
        "[{\"version\":3,\"kind\":\"changed\",\"author\":\"bob\",\"reason\":\"third\",\"unixMilliseconds\":1,")
    )
    #expect(!history.contains("first"))
    #expect(try await bench.get("/api/1/dtabs/web/history?limit=x").status == 400)
    #expect(try await bench.get("/api/1/dtabs/none/history").status == 404)
    #expect(try await bench.send("POST", "/api/1/dtabs/web/rollback").status == 400)
    #expect(try await bench.send("POST", "/api/1/dtabs/web/rollback?version=9").status == 404)
    #expect(try await bench.send("POST", "/api/1/dtabs/web/rollback?version=1", ["If-Match": "2"]).status == 412)
    #expect(try await bench.send("POST", "/api/1/dtabs/web/rollback?version=1", ["If-Match": "3"]).status == 204)
    #expect(try await bench.get("/api/1/dtabs/web", ["Accept": "text/plain"]).text == "/a => /0")
    await bench.close()
  }

  @Test("watchers get a line at once and one for each change")
  @ControlActor func watches() async throws {
    let bench = try Bench()
    func line(_ stream: ControlHTTPStream) async throws -> String {
      var bytes: [UInt8] = []
      while bytes.last != 0x0a, let more = try await stream.next() { bytes += more }
      return String(decoding: bytes, as: UTF8.self)
    }
    let list = try await bench.client.open("GET", "/api/1/dtabs?watch=true")
    #expect(try await line(list) == "[]\n")
    let watch = try await bench.client.open("GET", "/api/1/dtabs/web?watch=true")
    #expect(try await line(watch) == "null\n")
    let text = try await bench.client.open(
      "GET", "/api/1/dtabs/web?watch=true", headers: ControlHeaders(["Accept": "application/dtab"]))
    #expect(try await line(text) == "\n")
    _ = try await bench.send("PUT", "/api/1/dtabs/web", body: "# two\n# lines\n/a => /b ;")
    #expect(try await line(list) == "[\"web\"]\n")
    #expect(try await line(watch) == "[{\"prefix\":\"/a\",\"dst\":\"/b\"}]\n")
    #expect(try await line(text) == "/a=>/b\n")

    let bound = try await bench.client.open("GET", "/api/1/addr/default?path=/%23/io.l5d.fs/web&watch=true")
    #expect(try await line(bound).contains("8080"))
    bench.source.known = [:]
    #expect(try await line(bound) == "{\"type\":\"neg\"}\n")
    for stream in [list, watch, text, bound] { stream.close() }
    await bench.close()
  }

  @Test("an entity tag is the base64 of the version, and reads back")
  func tags() {
    #expect(EntityTag.of(1) == "\"AAAAAAAAAAE=\"")
    for seed in 0..<1_000 as Range<UInt64> {
      var random = SeededRandom(seed: seed)
      let version = random.next() >> UInt64(random.below(64))
      #expect(EntityTag.condition(EntityTag.of(version)) == .version(version), "seed \(seed)")
    }
    #expect(EntityTag.condition("*") == .any && EntityTag.condition(" 17 ") == .version(17))
    #expect(EntityTag.condition("\"zzz\"") == nil && EntityTag.condition("") == nil)
  }
}
