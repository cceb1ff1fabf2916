import Config
import MeshBase
import Net

/// What a reload has done, part by part.
struct ReloadReport: Sendable, Equatable {
  enum Kind: String, Sendable, CaseIterable {
    case router, server, dtab, namer, certificate, setting

    var plural: String { rawValue + "s" }
  }

  enum Change: String, Sendable, CaseIterable {
    case added, changed, removed, unchanged
  }

  struct Part: Sendable, Equatable {
    var kind: Kind
    /// A router's label, a server's router and address, a namer's prefix, a certificate's file, a key.
    var label: String
    var change: Change
  }

  /// By kind, then in the order of the new configuration, what was removed last.
  private(set) var parts: [Part] = []
  /// Keys that are different in the file and hold from the next start on.
  private(set) var needsRestart: [String] = []

  /// - Parameters:
  ///   - workers: threads that run.
  ///   - certificates: files that have come into use since the start of the reload.
  init(from old: Configuration, to new: Configuration, workers: Int, certificates: [String]) {
    compare(.router, old.routers, new.routers, \.label, \.beyondDtabAndServers)
    compare(.server, Self.servers(old), Self.servers(new), \.label, \.settings)
    compare(.dtab, old.routers, new.routers, \.label, \.dtab)
    compare(.namer, old.namers, new.namers, { "/#" + $0.prefix }, { $0 })
    let files = Self.certificates(new)
    for file in files { parts.append(Part(kind: .certificate, label: file, change: .unchanged)) }
    for file in Self.certificates(old) where !files.contains(file) {
      parts.append(Part(kind: .certificate, label: file, change: .removed))
    }
    for index in parts.indices where parts[index].kind == .certificate && parts[index].change == .unchanged {
      if certificates.contains(parts[index].label) { parts[index].change = .changed }
      if !Self.certificates(old).contains(parts[index].label) { parts[index].change = .added }
    }
    for (key, isSame) in [
      ("logging", old.logging == new.logging),
      ("memoryLimitMB", old.memoryLimitMegabytes == new.memoryLimitMegabytes),
      ("admin.shutdownGraceMs", old.admin.shutdownGraceMilliseconds == new.admin.shutdownGraceMilliseconds),
      ("drainTimeoutMs", old.drainTimeoutMilliseconds == new.drainTimeoutMilliseconds),
    ] where !isSame {
      parts.append(Part(kind: .setting, label: key, change: .changed))
    }
    needsRestart = Self.fixed(old, new, workers: workers)
  }

  private mutating func compare<Item, Settings: Equatable>(
    _ kind: Kind, _ old: [Item], _ new: [Item], _ label: (Item) -> String, _ settings: (Item) -> Settings
  ) {
    for item in new {
      let known = old.first { label($0) == label(item) }
      let change = known.map { settings($0) == settings(item) ? Change.unchanged : .changed } ?? .added
      parts.append(Part(kind: kind, label: label(item), change: change))
    }
    for item in old where !new.contains(where: { label($0) == label(item) }) {
      parts.append(Part(kind: kind, label: label(item), change: .removed))
    }
  }

  private static func servers(_ configuration: Configuration) -> [(label: String, settings: Configuration.Server)] {
    configuration.routers.flatMap { router in
      router.servers.map { server in
        let ip = server.ip.contains(":") ? "[\(server.ip)]" : server.ip
        return ("\(router.label) \(ip):\(server.port)", server)
      }
    }
  }

  private static func certificates(_ configuration: Configuration) -> [String] {
    var files: [String] = []
    func add(_ path: String?) { if let path, !files.contains(path) { files.append(path) } }
    func add(_ tls: Configuration.ServerTLS?) {
      guard let tls, tls.enabled else { return }
      for certificate in [tls.certificate] + tls.certificates { add(certificate.certPath) }
    }
    add(configuration.admin.tls)
    for router in configuration.routers {
      for server in router.servers { add(server.tls) }
      for (_, tls) in router.client.tlsBlocks where tls.enabled { add(tls.terms.clientAuth?.certPath) }
    }
    return files
  }

  /// What only a start can bring into force.
  private static func fixed(_ old: Configuration, _ new: Configuration, workers: Int) -> [String] {
    let (was, wanted) = (old.admin, new.admin)
    let keys: [(String, Bool)] = [
      ("workers", (new.workers ?? Host.processors) == workers), ("admin.ip", was.ip == wanted.ip),
      ("admin.port", was.port == wanted.port), ("admin.socketPath", was.socketPath == wanted.socketPath),
      ("admin.token", was.token == wanted.token), ("admin.security", was.security == wanted.security),
      ("admin.tls", was.tls == wanted.tls), ("metrics", old.metrics == new.metrics),
      ("dtabStore", old.dtabStore == new.dtabStore), ("dns", old.dns == new.dns),
    ]
    return keys.filter { !$0.1 }.map(\.0)
  }

  func labels(_ kind: Kind, _ change: Change) -> [String] {
    parts.filter { $0.kind == kind && $0.change == change }.map(\.label)
  }

  var isEmpty: Bool { parts.allSatisfy { $0.change == .unchanged } && needsRestart.isEmpty }

  /// For the log: "changed router int; added server int 127.0.0.1:4141".
  var sentence: String {
    let done = Change.allCases.filter { $0 != .unchanged }.flatMap { change in
      Kind.allCases.compactMap { kind -> String? in
        let labels = labels(kind, change)
        return labels.isEmpty
          ? nil : "\(change) \(labels.count == 1 ? kind.rawValue : kind.plural) \(labels.joined(separator: ", "))"
      }
    }
    let waiting = needsRestart.isEmpty ? [] : ["needs a restart: \(needsRestart.joined(separator: ", "))"]
    let all = done + waiting
    return all.isEmpty ? "nothing has changed" : all.joined(separator: "; ")
  }

  /// `isPlan`: it is what a reload would do.
  func json(file: String, warnings: [Diagnostic], isPlan: Bool = false) -> String {
    var json = JSONText()
    json.object { json in
      json.member("applied", !isPlan)
      json.member("file", file)
      for change in Change.allCases {
        json.key(change.rawValue)
        json.object { json in
          for kind in Kind.allCases {
            let labels = labels(kind, change)
            if labels.isEmpty { continue }
            json.key(kind.plural)
            json.array(labels) { $0.element($1) }
          }
        }
      }
      json.key("needsRestart")
      json.array(needsRestart) { $0.element($1) }
      json.key("warnings")
      json.array(warnings) { $0.diagnostic($1) }
    }
    return json.text + "\n"
  }
}

/// Why a reload has changed nothing.
struct ReloadRefusal: Error {
  var file: String
  var problem: String
  var diagnostics: [Diagnostic] = []

  /// A line each, as `meshrouter check` would say them.
  var lines: [String] {
    [problem]
      + diagnostics.filter { $0.severity == .error }.map { "\(file):\($0.line):\($0.column): \($0.sentence)" }
  }

  var json: String {
    var json = JSONText()
    json.object { json in
      json.member("applied", false)
      json.member("file", file)
      json.member("problem", problem)
      json.key("diagnostics")
      json.array(diagnostics) { $0.diagnostic($1) }
    }
    return json.text + "\n"
  }
}

extension JSONText {
  fileprivate mutating func diagnostic(_ diagnostic: Diagnostic) {
    object { json in
      json.member("severity", diagnostic.severity.rawValue)
      json.member("rule", diagnostic.rule.rawValue)
      json.member("key", diagnostic.keyPath)
      json.member("line", UInt64(diagnostic.line))
      json.member("column", UInt64(diagnostic.column))
      json.member("message", diagnostic.message)
      json.member("remedy", diagnostic.remedy)
    }
  }
}

extension Configuration.Router {
  /// What the workers' router is made of: neither its table, which the control thread has, nor its servers.
  var beyondDtabAndServers: Self {
    var router = self
    router.dtab = ""
    router.servers = []
    return router
  }
}

extension Configuration {
  /// This one as far as it can come into force in a process that runs with `old`.
  func applied(over old: Configuration) -> Configuration {
    var result = self
    result.workers = old.workers
    result.metrics = old.metrics
    result.dtabStore = old.dtabStore
    result.dns = old.dns
    result.admin = old.admin
    result.admin.shutdownGraceMilliseconds = admin.shutdownGraceMilliseconds
    // What stays is masked as it was.
    let kept = ["workers", "metrics", "dtabStore", "dns", "admin"]
    func isKept(_ path: String) -> Bool { kept.contains { path == $0 || path.hasPrefix($0 + ".") } }
    result.maskedValues = maskedValues.filter { !isKept($0.key) }
      .merging(old.maskedValues.filter { isKept($0.key) }) { $1 }
    return result
  }
}
