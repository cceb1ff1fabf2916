import Foundation

/// Certificates made by the `openssl` command, in a folder that goes with the process: `NAME.pem` and `NAME.key`.
public struct CertificateFolder: Sendable {
  public let path: String

  /// With two authorities, `ca` and `other-ca`. `name` tells the folders of one process apart.
  public init(_ name: String) {
    path = "/tmp/meshrouter-\(name)-\(getpid())"
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    CertificateFolder.made.append(path)
    for authority in ["ca", "other-ca"] {
      Tool.openssl("ecparam -name prime256v1 -genkey -noout -out \(authority).key", in: path)
      Tool.openssl(
        "req -x509 -new -key \(authority).key -subj /CN=Test-\(authority) -days 10 -out \(authority).pem", in: path)
    }
  }

  public func path(_ name: String) -> String { path + "/" + name }

  /// A key and a certificate with these alternative names, which are written as openssl takes them: `DNS:a,URI:b`.
  public func make(_ name: String, _ names: String, signer: String = "ca", days: Int = 5, isRSA: Bool = false) {
    let key = isRSA ? "rsa:2048" : "ec -pkeyopt ec_paramgen_curve:prime256v1"
    Tool.openssl(
      "req -new -newkey \(key) -nodes -keyout \(name).key -subj /O=Mesh/CN=\(name) -addext subjectAltName=\(names)"
        + " -out \(name).csr", in: path)
    Tool.openssl(
      "x509 -req -in \(name).csr -CA \(signer).pem -CAkey \(signer).key -CAcreateserial -copy_extensions copy"
        + " -days \(days) -out \(name).pem", in: path)
  }

  /// Removed when the process ends.
  private static let made = MadeFolders()
}

private final class MadeFolders: @unchecked Sendable {
  private let lock = NSLock()
  private var paths: [String] = []

  func append(_ path: String) {
    lock.withLock {
      if paths.isEmpty { atexit { CertificateFolder.removeAll() } }
      paths.append(path)
    }
  }

  func removeAll() {
    for path in lock.withLock({ paths }) { try? FileManager.default.removeItem(atPath: path) }
  }
}

extension CertificateFolder {
  fileprivate static func removeAll() { made.removeAll() }
}
