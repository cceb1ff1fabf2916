import Foundation
import MeshBase
import Testing

@testable import Net

@Suite struct TLSFilesTests {
  private let files = TLSTestFiles.shared

  private func error(_ change: (inout TLSServerContext.Options) -> Void) -> TLSLoadError? {
    var options = TLSServerContext.Options(certificates: [files.files("web")])
    change(&options)
    do throws(TLSLoadError) {
      _ = try TLSServerContext(options)
      return nil
    } catch {
      return error
    }
  }

  private func write(_ name: String, _ text: String) -> String {
    try? text.write(toFile: files.path(name), atomically: true, encoding: .utf8)
    return files.path(name)
  }

  private func text(_ name: String) -> String { (try? String(contentsOfFile: files.path(name), encoding: .utf8)) ?? "" }

  @Test("each thing wrong with a file is told with its name and a remedy")
  func loadErrors() {
    let missing = error { $0.certificates[0].certificate = "/nowhere/cert.pem" }
    #expect(
      missing?.description.hasPrefix("/nowhere/cert.pem: No such file or directory. Give the file's path") == true)
    let notPEM = error { $0.certificates[0].certificate = write("text.pem", "hello\n") }
    #expect(notPEM?.message == "holds no PEM certificate")
    let swapped = error { $0.certificates[0].certificate = files.path("web.key") }
    #expect(swapped?.message == "holds a private key, but no certificate")
    let noKey = error { $0.certificates[0].key = files.path("web.pem") }
    #expect(noKey?.message == "holds a certificate, but no key")
    let damaged = error {
      $0.certificates[0].certificate = write(
        "damaged.pem", text("web.pem").replacingOccurrences(of: "MII", with: "MIJ"))
    }
    #expect(damaged?.message.hasPrefix("certificate 1 is damaged: ") == true)
    let mismatch = error { $0.certificates[0].key = files.path("api.key") }
    #expect(mismatch?.file == files.path("api.key"))
    #expect(
      mismatch?.message == "the key does not belong to the certificate CN=web,O=Mesh in \(files.path("web.pem"))")
    files.openssl("pkey -in web.key -aes256 -passout pass:secret -out encrypted.key")
    let encrypted = error { $0.certificates[0].key = files.path("encrypted.key") }
    #expect(encrypted?.message == "the key is encrypted, and nobody could type its passphrase")
    let cipher = error { $0.ciphers = ["ECDHE-NONSENSE"] }
    #expect(cipher?.message == "\"ECDHE-NONSENSE\" is no cipher that OpenSSL has here")
    let trust = error {
      $0.clientAuth = .required
      $0.clientTrust = .files([files.path("web.key")])
    }
    #expect(trust?.file == files.path("web.key"))
  }

  @Test("keys of every form that OpenSSL reads are taken")
  func keyForms() throws {
    files.openssl("pkcs8 -topk8 -nocrypt -in web.key -out web-pkcs8.key")
    files.openssl("ec -in web.key -out web-sec1.key")
    files.openssl("rsa -traditional -in web-rsa.key -out web-pkcs1.key")
    for (certificate, key) in [("web", "web-pkcs8"), ("web", "web-sec1"), ("web-rsa", "web-pkcs1")] {
      let problem = error {
        $0.certificates = [
          TLSIdentityFiles(certificate: files.path(certificate + ".pem"), key: files.path(key + ".key"))
        ]
      }
      #expect(problem == nil, "\(key): \(String(describing: problem))")
    }
  }

  @Test("an own certificate that has expired is a warning")
  func expired() throws {
    let context = try TLSServerContext(.init(certificates: [files.files("expired")]))
    #expect(context.warnings.count == 1)
    #expect(context.warnings.first?.message.contains("the certificate CN=expired,O=Mesh expired on 20") == true)
    #expect(try TLSServerContext(.init(certificates: [files.files("web")])).warnings == [])
  }

  @Test("ciphers may have OpenSSL's names or the registry's")
  func cipherNames() {
    #expect(error { $0.ciphers = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"] } == nil)
    #expect(error { $0.ciphers = ["ECDHE-RSA-AES256-GCM-SHA384"] } == nil)
  }

  @Test("a wildcard stands for one whole label")
  func nameSets() {
    let names = TLSNameSet(["web.test", "*.Example.com", "10.0.0.1"])
    for good in ["web.test", "WEB.TEST.", "a.example.com", "10.0.0.1"] { #expect(names.covers(good), "\(good)") }
    for bad in ["", ".", "example.com", ".example.com", "a.b.example.com", "web.tes", "xweb.test", "10.0.0.11"] {
      #expect(!names.covers(bad), "\(bad)")
    }
  }

  @Test("x-forwarded-client-cert is linkerd's, and no name can feign a further element")
  func forwardedCertificate() throws {
    files.openssl(
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout evil.key -out evil.pem -days 2"
        + " -subj /O=a\";SAN=x/CN=evil -addext subjectAltName=URI:spiffe://m/a;DNS=b,DNS:c.test,DNS:d.test")
    let memory = try TLSServerContext(.init(certificates: [files.files("evil")]))
    var certificate = memory.certificates[0].certificate
    #expect(ForwardedClientCertificate.headerValue(certificate) == [])
    certificate.isVerified = true
    let value = String(decoding: ForwardedClientCertificate.headerValue(certificate), as: UTF8.self)
    #expect(
      value == "Hash=\(certificate.fingerprint);SAN=\"spiffe://m/a;DNS=b\";DNS=c.test;DNS=d.test;"
        + #"Subject="CN=evil,O=a\\\"\\;SAN=x""#)
  }

  // MARK: Watching

  @Test("changed files come into use, broken ones do not, and a later repair does")
  @ControlActor func watching() async throws {
    let directory = files.path("watched")
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    func install(_ name: String, key: String? = nil) {
      for (from, to) in [(name + ".pem", "tls.crt"), ((key ?? name) + ".key", "tls.key")] {
        let bytes = Array((try? Data(contentsOf: URL(fileURLWithPath: files.path(from)))) ?? Data())
        try? FileSystem.replace(directory + "/" + to, with: bytes)
      }
    }
    install("web")
    let options = TLSServerContext.Options(
      certificates: [TLSIdentityFiles(certificate: directory + "/tls.crt", key: directory + "/tls.key")])
    var seen: [String] = []
    var problems: [String] = []
    let watcher = try TLSCertificateWatcher(
      server: options, onChange: { seen.append($0.certificates[0].certificate.subject) },
      onProblem: { problems.append($0.message) })
    func wait(_ condition: @ControlActor () -> Bool) async throws {
      for _ in 0..<300 where !condition() { try await ControlActor.sleep(milliseconds: 10) }
    }
    install("api")
    try await wait { !seen.isEmpty }
    #expect(seen == ["CN=api,O=Mesh"])
    install("web", key: "api")
    try await wait { watcher.problem != nil }
    #expect(watcher.problem?.file == directory + "/tls.key")
    #expect(watcher.problem?.message.contains("does not belong to the certificate CN=web") == true)
    #expect(watcher.context.certificates[0].certificate.subject == "CN=api,O=Mesh")
    #expect(problems.count == 1)
    install("web")
    try await wait { seen.count == 2 }
    #expect(watcher.problem == nil)
    #expect(seen == ["CN=api,O=Mesh", "CN=web,O=Mesh"])
    #expect(watcher.reloads == 2)
    watcher.close()
  }

  @Test("a mounted secret that is swapped by its link is seen")
  @ControlActor func linkedDirectory() async throws {
    let directory = files.path("mounted")
    let manager = FileManager.default
    for (name, version) in [("web", "v1"), ("api", "v2")] {
      try manager.createDirectory(atPath: directory + "/" + version, withIntermediateDirectories: true)
      try manager.copyItem(atPath: files.path(name + ".pem"), toPath: directory + "/\(version)/tls.crt")
      try manager.copyItem(atPath: files.path(name + ".key"), toPath: directory + "/\(version)/tls.key")
    }
    symlink("v1", directory + "/data")
    symlink("data/tls.crt", directory + "/tls.crt")
    symlink("data/tls.key", directory + "/tls.key")
    let options = TLSServerContext.Options(
      certificates: [TLSIdentityFiles(certificate: directory + "/tls.crt", key: directory + "/tls.key")])
    let watcher = try TLSCertificateWatcher(server: options, onChange: { _ in })
    symlink("v2", directory + "/data.new")
    rename(directory + "/data.new", directory + "/data")
    for _ in 0..<300 where watcher.reloads == 0 { try await ControlActor.sleep(milliseconds: 10) }
    #expect(watcher.context.certificates[0].certificate.subject == "CN=api,O=Mesh")
    watcher.close()
  }
}
