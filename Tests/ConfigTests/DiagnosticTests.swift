import Testing

@testable import Config

@Suite("problems")
struct DiagnosticTests {
  @Test("all of them are found in one go, in the order of the file")
  func allAtOnce() {
    let loaded = load(
      """
      admin:
        prot: 9990
        port: abc
      routers:
      - protocol: mux
      - label: x
        servers:
        - port: 70000
          ip: localhost
        servers: []
        client:
          loadBalancer: {kind: emwa}
          connectTimeoutMs: 10s
      nmaers: []
      """)
    #expect(loaded.configuration == nil)
    #expect(
      loaded.lines == [
        #"2:3 error admin.prot: unknown key. Did you mean "port"?"#,
        #"3:9 error admin.port: expected an integer, found "abc""#,
        #"5:3 warning routers[0]: no servers: nothing will reach this router. Add for example servers: [{port: 4140}]."#,
        #"5:13 error routers[0].protocol: "mux" is not supported by this version. Mux is not planned."#,
        #"6:3 error routers[1]: the key "protocol" is missing. What the router is for: `http` or `h2`. Servers of both take HTTP/1 and HTTP/2; defaults differ."#,
        #"8:11 error routers[1].servers[0].port: 70000 is out of range. Allowed: 0 to 65535."#,
        #"9:9 error routers[1].servers[0].ip: "localhost" is not an IP address. Write 127.0.0.1 or ::1."#,
        #"10:3 error routers[1].servers: written twice, first in line 7. Keep one of them."#,
        #"12:26 error routers[1].client.loadBalancer.kind: unknown kind "emwa". Did you mean "ewma"?"#,
        #"13:23 error routers[1].client.connectTimeoutMs: expected an integer, found "10s". Write it in milliseconds: 10000."#,
        #"14:1 error nmaers: unknown key. Did you mean "namers"?"#,
      ])
  }

  @Test("a key in the wrong place is told where it belongs")
  func wrongPlace() {
    let loaded = load("port: 4140\nrouters: [{protocol: http, loadBalancer: {kind: p2c}, servers: [{}]}]")
    #expect(loaded.lines[0].hasPrefix("1:1 error port: unknown key. It belongs to admin or "))
    #expect(loaded.lines[1] == "2:28 error routers[0].loadBalancer: unknown key. It belongs to routers[].client.")
  }

  @Test("two listeners cannot share an address")
  func addresses() {
    let loaded = load(
      """
      routers:
      - protocol: http
        servers:
        - port: 4140
        - port: 4141
      - protocol: http
        label: other
        servers:
        - port: 4140
        - {port: 4141, ip: 0.0.0.0}
        - port: 9990
        - {port: 4140, ip: "::1"}
        - port: 0
        - port: 0
      """)
    #expect(
      loaded.lines == [
        "9:11 error routers[1].servers[0].port: 127.0.0.1:4140 is already used by routers[0].servers[0]. Choose another port.",
        "10:12 error routers[1].servers[1].port: 0.0.0.0:4141 takes in 127.0.0.1:4141 of routers[0].servers[1]. Choose another port.",
        "11:11 error routers[1].servers[2].port: 127.0.0.1:9990 is already used by admin. Choose another port.",
      ])
  }

  @Test("labels and prefixes are unique")
  func labels() {
    let loaded = load(
      """
      namers:
      - {kind: io.l5d.fs, rootDir: a}
      - {kind: io.l5d.fs, rootDir: b}
      routers:
      - {protocol: http, servers: [{port: 1}]}
      - {protocol: http, servers: [{port: 2}]}
      - {protocol: http, servers: [{port: 3}], label: http}
      """)
    #expect(
      loaded.lines == [
        "3:3 error namers[1]: the prefix /io.l5d.fs is already used by namers[0]. Give this namer another \"prefix\".",
        "6:3 error routers[1]: the label \"http\" is already used by routers[0]. Give this router a \"label\".",
        "7:49 error routers[2].label: the label \"http\" is already used by routers[0]. Labels are unique.",
      ])
  }

  @Test("what others can reach unprotected is warned of")
  func exposure() {
    let loaded = load(
      """
      admin: {ip: 0.0.0.0}
      routers:
      - protocol: http
        servers: [{ip: 0.0.0.0, clearContext: false}]
      """)
    #expect(loaded.configuration != nil)
    #expect(loaded.lines.count == 2)
    #expect(loaded.lines[0].hasPrefix("1:13 warning admin.ip: 0.0.0.0 without a token"))
    #expect(loaded.lines[1].hasPrefix("4:41 warning routers[0].servers[0].clearContext: false on 0.0.0.0"))
  }

  @Test("kinds: near names, short forms, kinds linkerd has and this version has not")
  func kinds() {
    let loaded = load(
      """
      namers:
      - {kind: fs, rootDir: a}
      - {kind: io.l5d.curator, host: x}
      - {rootDir: a}
      - {kind: io.l5d.fz, rootDir: b}
      - kind: io.l5d.fs
      routers:
      - protocol: http
        servers: [{}]
        interpreter: {kind: io.l5d.namerd, dst: /x}
      """)
    #expect(
      loaded.lines == [
        #"2:10 error namers[0].kind: unknown kind "fs". Did you mean "io.l5d.fs"?"#,
        #"3:10 error namers[1].kind: "io.l5d.curator" is not supported by this version. Supported: io.l5d.fs, io.l5d.rewrite, io.l5d.static, io.l5d.dnssrv, io.l5d.consul, io.l5d.serversets, io.l5d.zkLeader, io.l5d.k8s, io.l5d.k8s.ns, io.l5d.k8s.external, io.l5d.marathon, io.l5d.mesos, io.l5d.vip, io.l5d.mesosdns."#,
        #"4:3 error namers[2]: "kind" is missing. It is one of io.l5d.fs, io.l5d.rewrite, io.l5d.static, io.l5d.dnssrv, io.l5d.consul, io.l5d.serversets, io.l5d.zkLeader, io.l5d.k8s, io.l5d.k8s.ns, io.l5d.k8s.external, io.l5d.marathon, io.l5d.mesos, io.l5d.vip, io.l5d.mesosdns."#,
        #"5:10 error namers[3].kind: unknown kind "io.l5d.fz". Did you mean "io.l5d.fs"?"#,
        #"6:3 error namers[4]: the key "rootDir" is missing. Its files are the names: lines of `HOST PORT` or `HOST PORT * WEIGHT`. Directories are path elements."#,
        #"10:23 error routers[0].interpreter.kind: "io.l5d.namerd" is not supported by this version. The dtab store takes namerd's place: set "dtabStore" and "namespace"."#,
      ])
  }

  @Test("a linkerd file is taken along: what has no effect is told, what would be unsafe is refused")
  func linkerd() {
    let loaded = load(
      """
      admin: {port: 9990, ip: 127.0.0.1, workerThreads: 2}
      usage: {enabled: false, orgId: me}
      telemetry:
      - kind: io.l5d.prometheus
      - {kind: io.l5d.influxdb}
      namers:
      - {kind: io.l5d.fs, rootDir: disco, experimental: true}
      routers:
      - protocol: http
        dtab: /svc => /#/io.l5d.fs;
        httpAccessLog: logs/access.log
        client:
          failFast: true
          loadBalancer: {kind: p2c, enableProbation: false}
        service:
          classificationTimeoutMs: 50
        servers: [{port: 4140, ip: 127.0.0.1}]
      """)
    #expect(loaded.configuration != nil)
    #expect(loaded.lines.map { $0.prefix { $0 != "." } + "" }.count == 3)
    #expect(loaded.lines.allSatisfy { $0.contains("no effect") })
    #expect(loaded.hints.contains { $0.hasPrefix("admin.workerThreads: has no effect. ") })
  }

  @Test("quoted numbers and words of YAML 1.1 are told how to be written")
  func spelling() {
    let loaded = load(
      router("originator: yes\nmaxHeadersKB: \"8\"\nservers: [{port: 010}, {port: 1.5}]\nbindingTimeoutMs: 0"))
    #expect(
      loaded.lines == [
        #"3:15 error routers[0].originator: expected true or false, found "yes". Write true or false."#,
        #"4:17 error routers[0].maxHeadersKB: expected an integer, found "8". Write it without quotes."#,
        #"5:20 error routers[0].servers[0].port: a leading zero is ambiguous. Write 10."#,
        #"5:33 error routers[0].servers[1].port: expected an integer, found "1.5""#,
        #"6:21 error routers[0].bindingTimeoutMs: 0 is out of range. Allowed: 1 to 86400000."#,
      ])
  }

  @Test("lists and mappings in each other's place are told apart")
  func shapes() {
    #expect(load("[]").lines == ["1:1 error expected a mapping of keys, found a list"])
    #expect(load("routers: http").lines[0].hasPrefix("1:10 error routers: expected a list, found a single value"))
    #expect(load("routers: []").lines == ["1:10 error routers: no router. Add one, at least \"- protocol: http\"."])
    #expect(
      load("admin: {}").lines == [
        "1:1 error the key \"routers\" is missing. One or more routers, each with its own names, servers and clients."
      ])
    #expect(
      load(router("servers:\n- ")).lines == [
        "4:4 error routers[0].servers[0]: an item without a value. Remove the \"-\"."
      ])
    #expect(load("").lines[0].hasPrefix("1:1 error test.yaml is empty"))
    #expect(load("# only a comment\n").lines[0].hasPrefix("1:1 error test.yaml is empty"))
  }

  @Test("a file with thousands of problems gets a report with an end")
  func flood() {
    let text = (0..<5_000).map { "bad\($0): 1\n" }.joined()
    let loaded = load(text)
    #expect(loaded.diagnostics.count == Decoding.diagnosticsMax + 1)
    #expect(loaded.diagnostics.contains { $0.rule == .tooMany })
  }
}
