import Dtab
import Foundation
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

extension NamersTests {
  @Suite("io.l5d.k8s", .serialized)
  @ControlActor
  final class KubernetesTests {
    let api: FakeKubernetes
    static let ready = #""ready":true"#
    static let unready = #""ready":false"#
    static let leaving = #""ready":false,"serving":true,"terminating":true"#

    init() throws { api = try FakeKubernetes() }

    func namer(
      _ scope: KubernetesNamer.Scope = .all, label: String? = nil, credentials: ClusterCredentials = .none,
      _ change: (inout KubernetesNamer.Options) -> Void = { _ in }
    ) -> KubernetesNamer {
      var options = KubernetesNamer.Options(scope: scope, labelSelector: label)
      options.watch.delay = ReconnectDelay(firstMilliseconds: 10, longestMilliseconds: 40)
      change(&options)
      let resolver = offlineResolver()
      let client = ClusterClient(
        hosts: [ClusterHost(host: "127.0.0.1", port: api.port)], resolver: resolver, credentials: credentials)
      return KubernetesNamer(client: client, options: options, resolver: resolver)
    }

    @Test("slices of a service are listed once and watched; the rest of the path is residual")
    func follows() async {
      api.slice("web-1", of: "web", [("127.0.0.1", Self.ready), ("127.0.0.2", "")])
      api.slice("other-1", of: "other", [("127.0.0.9", Self.ready)])
      let lookup = namer().lookup("/ns/http/Web/x/y")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:8080", "127.0.0.2:8080"] })
      #expect(lookup.bound?.id == "/#/io.l5d.k8s/ns/http/web")
      #expect(lookup.bound?.residual == "/x/y")
      #expect(await eventually { self.api.watchCount == 1 })
      api.slice("web-1", of: "web", [("127.0.0.1", Self.ready)])
      api.slice("web-2", of: "web", [("127.0.0.3", Self.ready)])
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:8080", "127.0.0.3:8080"] })
      api.delete("endpointslices", "web-1")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.3:8080"] })
      api.delete("endpointslices", "web-2")
      #expect(await eventually { lookup.isNeg })
      #expect(api.lists.count == 1 && api.watches.count == 1)
    }

    @Test("a service that is not there is neg, and near names of the namespace are offered")
    func absence() async {
      api.service("users", spec: #"{"ports":[]}"#)
      api.service("users-admin", in: "other", spec: #"{"ports":[]}"#)
      let namer = namer()
      let lookup = namer.lookup("/ns/http/usres/x")
      #expect(await eventually { lookup.isNeg })
      #expect(
        await eventually { namer.nearNames(to: "/ns/http/usres/x", limit: 3) == ["/#/io.l5d.k8s/ns/http/users"] })
      let labelled = self.namer(label: "version")
      let other = labelled.lookup("/ns/http/user/v1")
      #expect(await eventually { other.isNeg })
      #expect(
        await eventually {
          labelled.nearNames(to: "/ns/http/user/v1", limit: 3) == ["/#/io.l5d.k8s/ns/http/users/v1"]
        })
    }

    @Test("ready gets requests, leaving keeps what it has, unready gets nothing; leaving serves when nothing is ready")
    func conditions() async {
      api.slice(
        "web-1", of: "web",
        [("127.0.0.1", Self.ready), ("127.0.0.2", Self.unready), ("127.0.0.3", Self.leaving)])
      let lookup = namer().lookup("/ns/http/web")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:8080", "127.0.0.3:8080*0.0"] })
      api.slice("web-1", of: "web", [("127.0.0.2", Self.unready), ("127.0.0.3", Self.leaving)])
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.3:8080"] })
      api.slice("web-1", of: "web", [("127.0.0.2", Self.unready)])
      #expect(await eventually { lookup.isNeg })
    }

    @Test("ports by name, by the service's number, and by the endpoints' number where the service has none")
    func ports() async {
      api.slice(
        "web-1", of: "web",
        ports: #"[{"name":"http","port":8080},{"name":"admin","port":9990},{"name":"u","port":53,"protocol":"UDP"}]"#,
        [("127.0.0.1", Self.ready)])
      api.service("web", spec: #"{"ports":[{"name":"http","port":80},{"name":"admin","port":9990,"targetPort":"x"}]}"#)
      api.slice("bare-1", of: "bare", ports: #"[{"name":"","port":7000}]"#, [("127.0.0.1", Self.ready)])
      let namer = namer()
      let cases: [(Path, [String]?)] = [
        ("/ns/http/web", ["127.0.0.1:8080"]), ("/ns/80/web", ["127.0.0.1:8080"]), ("/ns/admin/web", ["127.0.0.1:9990"]),
        ("/ns/9990/web", ["127.0.0.1:9990"]), ("/ns/7000/bare", ["127.0.0.1:7000"]), ("/ns/u/web", nil),
        ("/ns/nope/web", nil), ("/ns/81/web", nil), ("/ns/http/missing", nil), ("/other/http/web", nil),
      ]
      for (path, expected) in cases {
        let lookup = namer.lookup(path)
        #expect(
          await eventually { expected.map { lookup.bound?.endpoints.shown == $0 } ?? lookup.isNeg }, "\(path)")
      }
    }

    @Test("several slices are one set; of two families IPv4 is used, IPv6 where it is alone")
    func families() async {
      api.slice("web-4", of: "web", [("127.0.0.1", Self.ready)])
      api.slice("web-6", of: "web", family: "IPv6", [("::1", Self.ready)])
      api.slice("six-6", of: "six", family: "IPv6", [("::1", Self.ready)])
      api.slice("web-5", of: "web", [("127.0.0.2", Self.ready), ("127.0.0.1", Self.ready)])
      let namer = namer()
      let web = namer.lookup("/ns/http/web")
      let six = namer.lookup("/ns/http/six")
      #expect(await eventually { web.bound?.endpoints.shown == ["127.0.0.1:8080", "127.0.0.2:8080"] })
      #expect(await eventually { six.bound?.endpoints.shown == ["[::1]:8080"] })
    }

    @Test("a service that stands for a name outside, and the load balancer of one")
    func names() async {
      api.service("db", spec: #"{"type":"ExternalName","externalName":"localhost."}"#)
      let inside = namer().lookup("/ns/5432/db")
      #expect(await eventually { inside.bound?.endpoints.shown == ["127.0.0.1:5432"] })
      api.service(
        "web", spec: #"{"type":"LoadBalancer","ports":[{"name":"http","port":80}]}"#,
        status: #"{"loadBalancer":{"ingress":[{"ip":"127.0.0.7"},{"hostname":"localhost"}]}}"#)
      let namer = namer(.external)
      for path in ["/ns/http/web", "/ns/80/web"] as [Path] {
        let outside = namer.lookup(path)
        #expect(await eventually { outside.bound?.endpoints.shown == ["127.0.0.1:80", "127.0.0.7:80"] })
        #expect(outside.bound?.id == "/#/io.l5d.k8s.external" + path)
      }
      let none = namer.lookup("/ns/https/web")
      #expect(await eventually { none.isNeg })
    }

    @Test("within one namespace, and with a label, names are as long as that makes them")
    func scopes() async {
      api.slice("web-1", of: "web", labels: ["version": "v1"], [("127.0.0.1", Self.ready)])
      api.slice("web-2", of: "web", labels: ["version": "v2"], [("127.0.0.2", Self.ready)])
      let inside = namer(.namespace("ns")).lookup("/http/web/r")
      #expect(await eventually { inside.bound?.endpoints.shown == ["127.0.0.1:8080", "127.0.0.2:8080"] })
      #expect(inside.bound?.id == "/#/io.l5d.k8s.ns/http/web")
      #expect(inside.bound?.residual == "/r")
      let labelled = namer(label: "version").lookup("/ns/http/web/v2/r")
      #expect(await eventually { labelled.bound?.endpoints.shown == ["127.0.0.2:8080"] })
      #expect(labelled.bound?.id == "/#/io.l5d.k8s/ns/http/web/v2")
    }

    @Test(
      "what no object can be called is neg without a question",
      arguments: ["/ns/http", "/ns/ht_tp/web", "/n%s/http/web"])
    func neg(_ text: String) throws {
      #expect(namer().lookup(try Path(parsing: text)).isNeg)
      #expect(api.requests.isEmpty)
    }

    @Test("a watch that ends goes on where it was: nothing is listed again and nothing is missed")
    func resumes() async {
      api.slice("web-1", of: "web", [("127.0.0.1", Self.ready)])
      let lookup = namer().lookup("/ns/http/web")
      #expect(await eventually { self.api.watchCount == 1 && lookup.bound != nil })
      for round in 2...5 {
        api.cutWatches()
        api.slice("web-1", of: "web", [("127.0.0.\(round)", Self.ready)])
        #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.\(round):8080"] })
      }
      #expect(api.lists.count == 1)
      #expect(lookup.bound?.endpoints.staleSince == nil)
    }

    @Test("a version that was forgotten means a new list; bookmarks keep quiet services from that")
    func gone() async {
      api.slice("web-1", of: "web", [("127.0.0.1", Self.ready)])
      let lookup = namer().lookup("/ns/http/web")
      #expect(await eventually { self.api.watchCount == 1 && lookup.bound != nil })
      for index in 0..<5 { api.slice("other", of: "other", [("127.0.0.\(index)", Self.ready)]) }
      api.bookmark()
      #expect(await eventually { self.api.requests.count == 2 })
      try? await ControlActor.sleep(milliseconds: 50)
      api.compact()
      api.cutWatches()
      #expect(await eventually { self.api.watchCount == 1 })
      #expect(api.lists.count == 1, "the bookmark's version is known")
      api.cutWatches()
      api.delete("endpointslices", "web-1")
      api.slice("web-2", of: "web", [("127.0.0.2", Self.ready)])
      api.compact()
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.2:8080"] })
      #expect(api.lists.count == 2)
      #expect(api.lists.last?.contains("resourceVersion") == false)
    }

    @Test(
      "what goes wrong leaves what was known, with its age and the error",
      arguments: [(500, "etcd"), (403, "forbidden"), (429, "too many"), (200, "<html>")])
    func faults(_ status: Int, _ text: String) async {
      api.slice("web-1", of: "web", [("127.0.0.1", Self.ready)])
      let namer = namer()
      let lookup = namer.lookup("/ns/http/web")
      #expect(await eventually { self.api.watchCount == 1 && lookup.bound != nil })
      api.failure = (status, text + "\n")
      api.compact()
      api.cutWatches()
      #expect(await eventually { lookup.bound?.endpoints.staleSince != nil })
      #expect(lookup.bound?.endpoints.shown == ["127.0.0.1:8080"])
      #expect(namer.state().names.first?.lastError?.contains("/endpointslices") == true)
      api.failure = nil
      api.slice("web-1", of: "web", [("127.0.0.2", Self.ready)])
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.2:8080"] })
      #expect(await eventually { lookup.bound?.endpoints.staleSince == nil })
    }

    @Test(
      "events that cannot be read make a new list, not a crash", arguments: ["{\n", "[]\n", "{\"type\":\"ADDED\"}\n"])
    func malformed(_ line: String) async {
      api.slice("web-1", of: "web", [("127.0.0.1", Self.ready)])
      let lookup = namer().lookup("/ns/http/web")
      #expect(await eventually { self.api.watchCount == 1 && lookup.bound != nil })
      api.tellWatches(line)
      api.slice("web-1", of: "web", [("127.0.0.2", Self.ready)])
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.2:8080"] })
    }

    @Test("a watch that is silent for too long is begun anew where it was")
    func silence() async throws {
      api.slice("web-1", of: "web", [("127.0.0.1", Self.ready)])
      let lookup = namer { $0.watch.silenceMilliseconds = 100 }.lookup("/ns/http/web")
      #expect(await eventually(withinMilliseconds: 10_000) { self.api.watches.count >= 3 })
      #expect(lookup.bound?.endpoints.shown == ["127.0.0.1:8080"])
      #expect(lookup.bound?.endpoints.staleSince == nil)
      #expect(api.lists.count == 1)
    }

    @Test("an API that is away, and comes back with other objects")
    func restart() async throws {
      api.slice("web-1", of: "web", [("127.0.0.1", Self.ready)])
      let lookup = namer().lookup("/ns/http/web")
      #expect(await eventually { self.api.watchCount == 1 && lookup.bound != nil })
      await api.stop()
      #expect(await eventually { lookup.bound?.endpoints.staleSince != nil })
      #expect(lookup.bound?.endpoints.shown == ["127.0.0.1:8080"])
      let second = try FakeKubernetes(port: api.port)
      second.slice("web-8", of: "other", [("127.0.0.8", Self.ready)])
      second.slice("web-9", of: "web", [("127.0.0.9", Self.ready)])
      second.compact()
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.9:8080"] })
      await second.stop()
    }

    @Test("a token in a file is read again when it has changed")
    func token() async throws {
      let directory = TemporaryDirectory()
      directory.replace("token", "one\n")
      api.token = "one"
      api.slice("web-1", of: "web", [("127.0.0.1", Self.ready)])
      let lookup = namer(credentials: .bearerFile(directory.path + "/token")).lookup("/ns/http/web")
      #expect(await eventually { self.api.watchCount == 1 && lookup.bound != nil })
      api.token = "two"
      api.cutWatches()
      api.slice("web-1", of: "web", [("127.0.0.2", Self.ready)])
      #expect(await eventually { lookup.bound?.endpoints.staleSince != nil })
      directory.replace("token", "two\n")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.2:8080"] })
      #expect(await eventually { lookup.bound?.endpoints.staleSince == nil })
    }

    @Test("a name nobody asks for any more ends its watch")
    func lifetime() async {
      api.slice("web-1", of: "web", [("127.0.0.1", Self.ready)])
      let namer = namer()
      var lookup: NameLookup? = namer.lookup("/ns/http/web")
      #expect(await eventually { self.api.watchCount == 1 && lookup?.bound != nil })
      lookup = nil
      let asked = api.requests.count
      for index in 2...4 {
        api.slice("web-1", of: "web", [("127.0.0.\(index)", Self.ready)])
        try? await ControlActor.sleep(milliseconds: 20)
      }
      #expect(api.requests.count == asked)
      #expect(namer.state().names.isEmpty)
    }
  }
}
