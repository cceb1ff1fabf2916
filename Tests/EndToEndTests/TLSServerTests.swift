import Foundation
import TestSupport
import Testing

@Suite("TLS for callers", .serialized)
struct TLSServerTests {
  private static let certificates = Certificates.shared

  /// A router whose every request goes to a backend that answers with the request itself.
  private func router(tls: String, router: String = "", client: String = "") throws -> Router {
    let made = try Router(
      router: "identifier: {kind: io.l5d.static, path: /echo}\n" + router
        + (client.isEmpty ? "" : "\nclient:\n" + client),
      server: "tls:\n" + tls.split(separator: "\n").map { "  \($0)\n" }.joined())
    made.service("echo", ports: [Backend.echo().port(keptBy: made)])
    return made
  }

  private var clientCA: String { "caCertPath: \(Self.certificates.path("ca.pem"))" }

  @Test("ALPN chooses between HTTP/1.1 and HTTP/2; start-up says https")
  func applications() throws {
    let router = try router(tls: Self.certificates.yaml("web"))
    let url = "https://web.test/x"
    #expect(Tool.curl(router.port, url, ["--http1.1"]).output.hasSuffix("[200 1.1]"))
    #expect(Tool.curl(router.port, url, ["--http2"]).output.hasSuffix("[200 2]"))
    #expect(Tool.curl(router.port, url, ["--http2", "--no-alpn"]).output.hasSuffix("[200 1.1]"))
    #expect(Tool.curl(router.port, url, ["--http2", "-d", "body of it"]).output.contains("body of it [200 2]"))
    #expect(Tool.curl(router.port, url, ["--tls-max", "1.2", "--tlsv1.2"]).output.hasSuffix("[200 2]"))
    #expect(Tool.curl(router.port, url, ["--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"]).status == 35)
    #expect(router.output.contains("router e2e listens on https://127.0.0.1:\(router.port)"))
    // A caller that forgets TLS is told so, and costs the router nothing.
    let plain = Tool.run("/usr/bin/curl", ["-sS", "-i", "-m", "10", "http://127.0.0.1:\(router.port)/"])
    #expect(plain.status == 0 && plain.output.hasPrefix("HTTP/1.1 400 "))
    #expect(plain.output.contains("This port speaks TLS: use https://"))
    #expect(Tool.curl(router.port, url).output.hasSuffix("[200 2]"))
  }

  @Test("the certificate is chosen by the name that is asked for")
  func names() throws {
    let others = ["api", "wild"].map { name in
      Self.certificates.yaml(name).split(separator: "\n").enumerated()
        .map { ($0 == 0 ? "- " : "  ") + $1 + "\n" }.joined()
    }
    let router = try router(tls: Self.certificates.yaml("web") + "\ncertificates:\n" + others.joined())
    let cases = [
      ("-servername web.test", "web"), ("-servername api.test", "api"), ("-servername API.test", "api"),
      ("-servername a.wild.test", "wild"), ("-servername a.b.wild.test", "web"), ("-servername other.test", "web"),
      ("-noservername", "web"),
    ]
    for (arguments, wanted) in cases {
      let shown = Tool.openssl("s_client -connect 127.0.0.1:\(router.port) \(arguments)", input: "").output
      #expect(shown.contains("subject=O = Mesh, CN = \(wanted)"), "\(arguments): \(shown)")
    }
    #expect(Tool.curl(router.port, "https://a.wild.test/").output.hasSuffix("[200 2]"))
    #expect(Tool.curl(router.port, "https://other.test/").status == 60)
  }

  @Test("a request for a host that the connection's certificate does not cover: 421, over either protocol")
  func misdirected() throws {
    let router = try router(tls: Self.certificates.yaml("web"))
    for version in ["--http1.1", "--http2"] {
      func ask(_ host: String, _ more: [String] = []) -> String {
        Tool.curl(router.port, "https://web.test/", [version, "-D", "-", "-H", "Host: \(host)"] + more).output
      }
      #expect(ask("web.test").contains("[200"))
      #expect(ask("WEB.TEST:443").contains("[200"))
      #expect(ask("also.test").contains("[200"))
      let refused = ask("api.test")
      #expect(refused.contains("[421"))
      #expect(refused.contains("l5d-err: identify.misdirected"))
      #expect(refused.contains("asked for web.test by SNI, the request is for api.test"))
      // Another router's connection carries requests for many services.
      #expect(ask("api.test", ["-H", "Via: 2 meshrouter"]).contains("[200"))
    }
    // Without SNI there is nothing to disagree with.
    #expect(Tool.curl(router.port, "https://127.0.0.1/", ["-k"]).output.hasSuffix("[200 2]"))
  }

  @Test("what the caller speaks is told in Forwarded; rejectMisdirected: false serves what would get 421")
  func forwardedAndMisdirected() throws {
    let made = try Router(
      router: "identifier: {kind: io.l5d.static, path: /echo}",
      server: "addForwardedHeader: {by: {kind: router}, for: {kind: ip}}\ntls:\n  rejectMisdirected: false\n"
        + Self.certificates.yaml("web").split(separator: "\n").map { "  \($0)\n" }.joined())
    made.service("echo", ports: [Backend.echo().port(keptBy: made)])
    for version in ["--http1.1", "--http2"] {
      let answer = Tool.curl(made.port, "https://web.test/", [version, "-H", "Host: api.test"]).output
      #expect(answer.contains("[200"), "\(answer)")
      #expect(answer.contains("Forwarded: by=_e2e;for=127.0.0.1;host=\"api.test\";proto=https\r\n"), "\(answer)")
    }
  }

  @Test("client certificates: required, optional and by an allow-list; endpoints are told who called, never a lie")
  func clientCertificates() throws {
    let files = Self.certificates
    let own = files.yaml("web") + "\n" + clientCA + "\n"
    let forged = ["-H", "x-forwarded-client-cert: Hash=0;SAN=spiffe://mesh/ns/admin"]
    let told = "Hash=[0-9a-f]{64};SAN=spiffe://mesh/ns/shop;DNS=client.test;Subject=\"CN=client,O=Mesh\"\r\n"
    let line = try Regex("x-forwarded-client-cert: " + told).ignoresCase()
    let url = "https://web.test/"

    let required = try router(tls: own + "requireClientAuth: true", client: "  forwardClientCert: true")
    #expect(Tool.curl(required.port, url).status != 0)
    #expect(Tool.curl(required.port, url, files.curlIdentity("stranger")).status != 0)
    for version in ["--http1.1", "--http2"] {
      let answer = Tool.curl(required.port, url, [version] + files.curlIdentity("client") + forged).output
      #expect(answer.contains("[200"))
      #expect(try line.firstMatch(in: answer) != nil, "\(answer)")
      #expect(!answer.contains("ns/admin"))
    }

    let optional = try router(tls: own + "clientAuth: optional", client: "  forwardClientCert: true")
    let anonymous = Tool.curl(optional.port, url, forged).output
    #expect(anonymous.contains("[200") && !anonymous.lowercased().contains("x-forwarded-client-cert"))
    #expect(try line.firstMatch(in: Tool.curl(optional.port, url, files.curlIdentity("client")).output) != nil)
    #expect(Tool.curl(optional.port, url, files.curlIdentity("stranger")).status != 0)

    let listed = try router(tls: own + "clientAuth: required\nallowedClientNames: [\"spiffe://mesh/ns/*\"]")
    let known = Tool.curl(listed.port, url, files.curlIdentity("client")).output
    #expect(known.contains("[200") && !known.lowercased().contains("x-forwarded-client-cert"))
    #expect(Tool.curl(listed.port, url, files.curlIdentity("guest")).status != 0)
    for _ in 0..<100 where !listed.output.contains("is not among the allowed ones") { usleep(20_000) }
    #expect(listed.output.contains("is not among the allowed ones"))
    let metrics = Tool.run("/usr/bin/curl", ["-sS", "http://127.0.0.1:\(listed.adminPort)/admin/metrics/prometheus"])
    let failed = /meshrouter_server_failed_handshakes_total\{[^}]*\} (\d+)/
    #expect(metrics.output.firstMatch(of: failed).flatMap { Int($0.output.1) } ?? 0 >= 1)
  }

  @Test("who the caller is names the request and stands in the access log")
  func identity() throws {
    let files = Self.certificates
    let own = files.yaml("web") + "\n" + clientCA + "\nclientAuth: optional"
    let router = try Router(
      dtab: "/svc/mesh/ns => /#/io.l5d.fs/of; /svc/guest.test => /#/io.l5d.fs/guests",
      router: "identifier: {kind: io.l5d.clientCert}\nhttpAccessLog: \"-\"\naccessLogFormat: json",
      server: "tls:\n" + own.split(separator: "\n").map { "  \($0)\n" }.joined())
    try FileManager.default.createDirectory(atPath: router.directory + "/disco/of", withIntermediateDirectories: true)
    for name in ["of/shop", "guests"] {
      let answer = "HTTP/1.1 200 OK\r\nContent-Length: \(name.utf8.count)\r\n\r\n\(name)"
      router.service(name, ports: [Backend(answering: answer).port(keptBy: router)])
    }
    let url = "https://web.test/"
    #expect(Tool.curl(router.port, url, files.curlIdentity("client")).output == "of/shop [200 2]")
    #expect(Tool.curl(router.port, url, files.curlIdentity("guest")).output == "guests [200 2]")
    let anonymous = Tool.curl(router.port, url).output
    #expect(anonymous.hasSuffix("[400 2]") && anonymous.contains("identify.none"))
    func why(_ caller: String) -> String {
      let query = "url=https://web.test/\(caller.isEmpty ? "" : "&caller=" + caller)"
      return Tool.run("/usr/bin/curl", ["-sS", "http://127.0.0.1:\(router.adminPort)/api/2/why?\(query)"]).output
    }
    #expect(why("spiffe://mesh/ns/shop").contains("/#/io.l5d.fs/of/shop"))
    #expect(why("Guest.test").contains("/#/io.l5d.fs/guests"))
    #expect(why("").contains("identify.none"))
    for _ in 0..<100 where !router.output.contains("identify.none") { usleep(20_000) }
    #expect(router.output.contains(#""caller":"spiffe://mesh/ns/shop","method":"GET""#))
    #expect(router.output.contains(#""caller":"guest.test""#))
  }

  @Test("a ticket of one worker is honoured by all, and with it goes the caller's identity")
  func tickets() throws {
    let files = Self.certificates
    let router = try router(
      tls: files.yaml("web") + "\n" + clientCA + "\nrequireClientAuth: true", client: "  forwardClientCert: true")
    let request = "GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n"
    for version in ["-tls1_3", "-tls1_2"] {
      let ticket = "\(router.directory)/ticket\(version)"
      let connect = "s_client \(version) -connect 127.0.0.1:\(router.port) -servername web.test -ign_eof"
      let identity = "-cert \(files.path("client.pem")) -key \(files.path("client.key"))"
      let first = Tool.openssl("\(connect) \(identity) -sess_out \(ticket)", input: request).output
      #expect(first.contains("New, ") && first.contains("SAN=spiffe://mesh/ns/shop"), "\(first)")
      // Of ten connections some come to either worker.
      for _ in 0..<10 {
        let again = Tool.openssl("\(connect) -sess_in \(ticket)", input: request).output
        #expect(again.contains("Reused, ") && again.contains("SAN=spiffe://mesh/ns/shop"), "\(again)")
      }
    }
  }

  @Test("certificates change while connections live; a file that cannot be used changes nothing and is told of")
  func rotation() throws {
    let files = Self.certificates
    let directory = "/tmp/meshrouter-e2e-rotation-\(getpid())"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    func put(_ text: String, _ name: String) throws {
      try text.write(toFile: "\(directory)/.\(name)", atomically: false, encoding: .utf8)
      rename("\(directory)/.\(name)", "\(directory)/\(name)")
    }
    func install(_ name: String) throws {
      for end in ["pem", "key"] {
        try put(String(contentsOfFile: files.path("\(name).\(end)"), encoding: .utf8), "own.\(end)")
      }
    }
    try install("web")
    let router = try router(tls: "certPath: \(directory)/own.pem\nkeyPath: \(directory)/own.key")
    func shown() -> String {
      let output = Tool.openssl("s_client -connect 127.0.0.1:\(router.port) -servername web.test", input: "").output
      return output.split(separator: "\n").first { $0.hasPrefix("subject=") }.map(String.init) ?? output
    }
    func problems() -> String {
      Tool.run("/usr/bin/curl", ["-sS", "http://127.0.0.1:\(router.adminPort)/admin/server_info"]).output
    }
    func until(_ condition: () -> Bool) -> Bool {
      for _ in 0..<100 {
        if condition() { return true }
        usleep(100_000)
      }
      return false
    }
    let living = try SecureClient(port: router.port, name: "web.test")
    let request = "GET /living HTTP/1.1\r\nHost: web.test\r\n\r\n"
    #expect(living.request(request, until: "/living").contains("200 OK"))
    #expect(shown().contains("CN = web"))

    try install("api")
    #expect(until { shown().contains("CN = api") })
    #expect(living.request(request, until: "/living").contains("200 OK"))

    try put("no certificate", "own.pem")
    #expect(until { problems().contains("own.pem") }, "\(problems())")
    #expect(shown().contains("CN = api"))
    #expect(living.request(request, until: "/living").contains("200 OK"))
    #expect(router.output.contains("certificates changed and cannot be used; the old ones stay"))

    try install("web")
    #expect(until { shown().contains("CN = web") })
    #expect(until { !problems().contains("own.pem") })
    #expect(living.request(request, until: "/living").contains("200 OK"))
  }
}
