import Config
import Net

/// Makes TLS contexts of what the configuration says.
public enum TLSAssembly {
  public static func options(_ tls: Configuration.ServerTLS) -> TLSServerContext.Options {
    var options = TLSServerContext.Options(certificates: ([tls.certificate] + tls.certificates).map(files))
    options.clientAuth =
      switch tls.clientAuthentication {
      case .none: .none
      case .optional: .optional
      case .required: .required
      }
    options.clientTrust = .files(tls.caCertPath.map { [$0] } ?? [])
    options.allowedClients = tls.allowedClientNames
    options.applications = tls.alpn.map(application)
    options.versions = tls.protocols.map(version)
    options.ciphers = tls.ciphers
    return options
  }

  /// - Parameter applications: what is offered by ALPN where a session does not say otherwise, the preferred one first.
  public static func options(
    _ terms: Configuration.TLSTerms, applications: [TLSApplication] = [.http11]
  ) -> TLSClientContext.Options {
    var options = TLSClientContext.Options()
    let roots = (terms.trustCertsBundle.map { [$0] } ?? []) + terms.trustCerts
    options.trust = roots.isEmpty ? .system : .files(roots)
    options.disableValidation = terms.disableValidation
    options.identity = terms.clientAuth.map(files)
    options.applications = applications
    options.versions = terms.protocols.map(version)
    options.ciphers = terms.ciphers
    return options
  }

  /// What a client offers by ALPN.
  public static func applications(_ protocol: Configuration.ClientProtocol) -> [TLSApplication] {
    switch `protocol` {
    case .h1: [.http11]
    case .h2: [.h2]
    case .auto: [.h2, .http11]
    }
  }

  private static func files(_ certificate: Configuration.Certificate) -> TLSIdentityFiles {
    TLSIdentityFiles(
      certificate: certificate.certPath, key: certificate.keyPath, intermediates: certificate.intermediateCertsPath)
  }

  private static func application(_ name: Configuration.TLSApplicationProtocol) -> TLSApplication {
    switch name {
    case .h2: .h2
    case .http11: .http11
    }
  }

  private static func version(_ version: Configuration.TLSProtocol) -> TLSVersion {
    switch version {
    case .v12: .v12
    case .v13: .v13
    }
  }

  // MARK: Checks

  /// What is wrong with the files of all TLS blocks; reads files only.
  public static func inspect(_ configuration: Configuration) -> [FileProblem] {
    var problems: [FileProblem] = []
    if let tls = configuration.admin.tls { problems += inspect(tls, "admin.tls") }
    for (index, router) in configuration.routers.enumerated() {
      for (serverIndex, server) in router.servers.enumerated() {
        if let tls = server.tls { problems += inspect(tls, "routers[\(index)].servers[\(serverIndex)].tls") }
      }
      for (key, tls) in router.client.tlsBlocks { problems += inspect(tls, "routers[\(index)].client.\(key)") }
    }
    return problems
  }

  private static func inspect(_ tls: Configuration.ServerTLS, _ path: String) -> [FileProblem] {
    guard tls.enabled else { return [] }
    let options = options(tls)
    var problems: [FileProblem] = []
    // Each certificate by itself, so that all that is wrong comes out at once.
    for (index, files) in options.certificates.enumerated() {
      let key = index == 0 ? path : "\(path).certificates[\(index - 1)]"
      do throws(TLSLoadError) {
        let context = try TLSServerContext(TLSServerContext.Options(certificates: [files]))
        problems += context.warnings.map { problem($0, .warning, at: key + ".certPath") }
      } catch {
        problems.append(problem(error, at: self.key(of: error, files, key)))
      }
    }
    if !problems.contains(where: { $0.severity == .error }) {
      do throws(TLSLoadError) { _ = try TLSServerContext(options) } catch {
        problems.append(problem(error, at: path + (error.file.isEmpty ? ".ciphers" : ".caCertPath")))
      }
    }
    return problems
  }

  private static func inspect(_ tls: Configuration.ClientTLS, _ path: String) -> [FileProblem] {
    guard tls.enabled else { return [] }
    let options = options(tls.terms)
    do throws(TLSLoadError) {
      return try TLSClientContext(options).warnings.map { problem($0, .warning, at: path + ".clientAuth.certPath") }
    } catch {
      if let files = options.identity, [files.certificate, files.key, files.intermediates].contains(error.file) {
        return [problem(error, at: key(of: error, files, path + ".clientAuth"))]
      }
      let isOld = tls.terms.trustCerts.firstIndex { error.file.hasPrefix($0) }
      let key = error.file.isEmpty ? ".ciphers" : isOld.map { ".trustCerts[\($0)]" } ?? ".trustCertsBundle"
      return [problem(error, at: path + key)]
    }
  }

  private static func key(of error: TLSLoadError, _ files: TLSIdentityFiles, _ path: String) -> String {
    switch error.file {
    case files.key: path + ".keyPath"
    case files.intermediates: path + ".intermediateCertsPath"
    default: path + ".certPath"
    }
  }

  private static func problem(
    _ error: TLSLoadError, _ severity: Diagnostic.Severity = .error, at key: String
  ) -> FileProblem {
    FileProblem(severity, at: key, (error.file.isEmpty ? "" : error.file + ": ") + error.message, remedy: error.remedy)
  }
}
