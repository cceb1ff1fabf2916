import Dtab

extension Configuration {
  /// Settings of the names that a prefix covers: an entry of `configs`.
  public struct Refinement<Settings: Sendable & Equatable>: Sendable, Equatable {
    /// A pattern of the first labels of a name.
    public var prefix = "/"
    /// Only what `keys` names is set; the rest is as in a fresh value.
    public var settings: Settings
    /// The settings' keys, as they are written in the file.
    public var keys: Set<String> = []

    public init(prefix: String, settings: Settings, keys: Set<String>) {
      self.prefix = prefix
      self.settings = settings
      self.keys = keys
    }
  }
}

extension Configuration.Client {
  /// Every block about TLS, the one for all names first, each with its key below the client's.
  public var tlsBlocks: [(key: String, tls: Configuration.ClientTLS)] {
    (tls.map { [("tls", $0)] } ?? [])
      + configs.enumerated().compactMap { index, entry in entry.settings.tls.map { ("configs[\(index)].tls", $0) } }
  }

  /// Every balancer that some name may have.
  public var loadBalancers: [Configuration.LoadBalancer] {
    [loadBalancer] + configs.filter { $0.keys.contains("loadBalancer") }.map(\.settings.loadBalancer)
  }
}

/// Entries of `configs` with their prefixes ready to be compared.
private struct Refinements<Settings: Sendable & Equatable>: Sendable {
  private let entries: [(pattern: CapturePattern, entry: Configuration.Refinement<Settings>)]
  private let table: ObjectTable<Settings>

  init(_ entries: [Configuration.Refinement<Settings>], _ table: ObjectTable<Settings>) {
    self.entries = entries.map { entry in
      guard let pattern = try? CapturePattern(parsing: entry.prefix) else {
        preconditionFailure("a prefix that was not checked: \(entry.prefix)")
      }
      return (pattern, entry)
    }
    self.table = table
  }

  /// Sets what the entries say about the name, in their order.
  /// - Parameter onMatch: told of each that covers it, by its index.
  func refine(
    _ settings: inout Settings, for name: Path,
    onMatch: (Int, Configuration.Refinement<Settings>, CapturePattern.Captures) -> Void = { _, _, _ in }
  ) {
    for (index, (pattern, entry)) in entries.enumerated() {
      guard let captures = pattern.captures(in: name) else { continue }
      table.copy(entry.keys, from: entry.settings, to: &settings)
      onMatch(index, entry, captures)
    }
  }

  /// The entries whose keys are in force for the name, an item each: `configs[1] for /svc/web: totalTimeoutMs`.
  func inForce(for name: Path) -> [String] {
    var taken: Set<String> = []
    return entries.enumerated().reversed().compactMap { index, item -> String? in
      guard item.pattern.matches(name) else { return nil }
      let keys = item.entry.keys.subtracting(taken)
      taken.formUnion(keys)
      return keys.isEmpty ? nil : "configs[\(index)] for \(item.entry.prefix): \(keys.sorted().joined(separator: ", "))"
    }.reversed()
  }
}

/// What holds for each logical name of a router. Made once; asking it costs a comparison per entry.
public struct ServiceSettings: Sendable {
  private let base: Configuration.Service
  private let refinements: Refinements<Configuration.Service>
  /// All names have the same.
  private let isUniform: Bool

  public init(_ configuration: Configuration.Service) {
    var base = configuration
    base.configs = []
    self.base = base
    refinements = Refinements(configuration.configs, KeyTables.service)
    isUniform = configuration.configs.isEmpty
  }

  /// For a name such as `/svc/web`, without `configs`.
  public func settings(for name: Path) -> Configuration.Service {
    var settings = base
    refinements.refine(&settings, for: name)
    return settings
  }

  /// Which entries say so, for people: `configs[1] for /svc/web: totalTimeoutMs`.
  public func inForce(for name: Path) -> [String] { refinements.inForce(for: name) }

  /// For a name in printed form; what is no path has what no entry sets.
  public func settings(for name: UnsafeRawBufferPointer) -> Configuration.Service {
    if !isUniform, let path = try? Path(parsing: String(decoding: name, as: UTF8.self)) { return settings(for: path) }
    return base
  }
}

/// What holds for each bound name of a router. Made once; asking it costs a comparison per entry.
public struct ClientSettings: Sendable {
  private let base: Configuration.Client
  private let refinements: Refinements<Configuration.Client>
  /// Of the router's own block and of the entries', where there is one.
  private let baseName: ExpectedTLSName?
  private let names: [ExpectedTLSName?]

  public init(_ configuration: Configuration.Client) {
    var base = configuration
    base.configs = []
    self.base = base
    refinements = Refinements(configuration.configs, KeyTables.client)
    // The configuration's check has parsed them.
    baseName = configuration.tls.flatMap { try? ExpectedTLSName(prefix: $0.prefix, commonName: $0.commonName) }
    names = configuration.configs.map { entry in
      guard let tls = entry.settings.tls, let outer = try? CapturePattern(parsing: entry.prefix) else { return nil }
      return try? ExpectedTLSName(prefix: tls.prefix, commonName: tls.commonName, captures: outer.names)
    }
  }

  /// Which entries say so, for people: `configs[1] for /#/io.l5d.fs/web: tls`.
  public func inForce(for id: Path) -> [String] { refinements.inForce(for: id) }

  /// For a bound id such as `/#/io.l5d.fs/web`, without `configs`.
  ///
  /// `tls` is set only if the endpoints are spoken to with TLS; then `commonName` is the name itself, or `nil` where none
  /// is demanded, and `prefix` is not set.
  public func settings(for id: Path) -> Configuration.Client {
    var settings = base
    var name = baseName
    var captures: CapturePattern.Captures = [:]
    refinements.refine(&settings, for: id) { index, entry, found in
      guard entry.keys.contains("tls") else { return }
      name = names[index]
      captures = found
    }
    // Windows of different entries may have come together.
    settings.http2.maxStreamWindowBytes = max(
      settings.http2.maxStreamWindowBytes, settings.http2.initialStreamWindowBytes)
    if let tls = settings.tls {
      if tls.enabled, case .name(let expected)? = name?.answer(for: id, captures: captures) {
        settings.tls?.prefix = nil
        settings.tls?.commonName = expected.isEmpty ? nil : expected
      } else {
        settings.tls = nil
      }
    }
    return settings
  }
}
