import MeshBase
import Net

/// Why the resolver cannot be used, or what came of a look-up.
public struct ResolverError: Error, Equatable, CustomStringConvertible, Sendable {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// Live look-ups of host names: literal addresses, `/etc/hosts`, then DNS (A and AAAA) over c-ares.
///
/// A name in use is asked for again when its answer's time to live is over; everyone who uses one name shares one
/// look-up. `localhost` is 127.0.0.1 (RFC 6761 §6.3) and never asked for.
@ControlActor
public final class Resolver {
  public struct Options: Sendable {
    /// Empty: those of `/etc/resolv.conf`, which is read again when it changes.
    public var servers: [SocketAddress] = []
    public var hostsPath = "/etc/hosts"
    public var resolvConfPath = "/etc/resolv.conf"
    /// Whether it has changed is looked at no more often than this.
    public var resolvConfCheckMilliseconds: UInt64 = 5_000
    /// Bounds of an answer's time to live. linkerd asks every 5 s whatever the answer says.
    public var ttlMillisecondsMin: UInt64 = 1_000
    public var ttlMillisecondsMax: UInt64 = 300_000
    /// How long "no such name" is believed, and how long an entry of the hosts file is before it is looked at again.
    public var negativeTTLMilliseconds: UInt64 = 5_000
    /// After a failure: this long, then twice as long each time, up to `ttlMillisecondsMax`, at most 30 s.
    public var retryMilliseconds: UInt64 = 1_000
    /// Wait for the first answer of one server; each round of attempts waits twice as long as the one before.
    public var attemptTimeoutMilliseconds = 1_000
    public var attempts = 3
    /// Drops AAAA answers this host has no route to, if there are A answers.
    public var dropsUnreachableIPv6 = true

    public init() {}
  }

  /// Names at one time; beyond, a new name fails.
  static let namesMax = 50_000

  let options: Options
  private let hosts: HostsFile
  private var driver: AresDriver?
  private var driverFailure = ""
  private var resolvConf: FileSystem.Status?
  private var resolvConfChecked: MonotonicInstant?
  private var names: [String: DnsName] = [:]
  /// Questions sent to name servers since the start.
  public private(set) var queryCount: UInt64 = 0

  public init(options: Options = Options()) {
    self.options = options
    hosts = HostsFile(path: options.hostsPath)
  }

  /// A resolver like this one that asks other name servers.
  public func asking(_ servers: [SocketAddress]) -> Resolver {
    var options = options
    options.servers = servers
    return Resolver(options: options)
  }

  /// The live name, shared; it is watched for as long as someone observes it.
  func name(_ host: String) -> DnsName {
    let key = host.lowercased()
    if let known = names[key] { return known }
    let name = DnsName(key, resolver: self)
    if names.count < Self.namesMax {
      names[key] = name
      name.refresh()
    } else {
      name.settle(.failed("more than \(Self.namesMax) host names in use"))
    }
    return name
  }

  func forget(_ name: DnsName) { if names[name.host] === name { names[name.host] = nil } }

  /// Names that are watched or remembered.
  public var nameCount: Int { names.count }

  /// One look-up, for clients of the control plane. Addresses have port 0.
  public func addresses(of host: String) async throws -> [SocketAddress] {
    if let literal = Self.literal(host) { return [literal] }
    let name = name(host)
    if case .pending = name.answer {
      var token: ObservationToken?
      await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
        var waiting: CheckedContinuation<Void, Never>? = continuation
        token = name.observe {
          if case .pending = name.answer { return }
          waiting?.resume()
          waiting = nil
        }
      }
      token?.cancel()
    }
    switch name.answer {
    case .addresses(let addresses): return addresses
    case .none(let text), .failed(let text): throw ResolverError("\(host): \(text)")
    case .pending: throw ResolverError("\(host): no answer")
    }
  }

  /// A literal address with or without brackets, or `localhost`; port 0.
  static func literal(_ host: String) -> SocketAddress? {
    if host.utf8.count == 9 && host.lowercased() == "localhost" { return .loopback(port: 0) }
    if host.hasPrefix("[") && host.hasSuffix("]") {
      return SocketAddress(ip: String(host.dropFirst().dropLast()), port: 0)
    }
    return SocketAddress(ip: host, port: 0)
  }

  /// Whether the last label is a number: no name ends in one (RFC 1123 §2.1), so an address was meant.
  nonisolated static func looksLikeAddress(_ host: String) -> Bool {
    let last = host.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).last
    return last.map { !$0.isEmpty && $0.allSatisfy(Ascii.isDigit) } ?? false
  }

  /// Whether the text can be a host name: RFC 1123 §2.1 and underscores, at most 253 bytes, labels of 1 to 63.
  nonisolated static func isHostName(_ host: String) -> Bool {
    var bytes = Array(host.utf8)
    if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
    guard (1...253).contains(bytes.count) else { return false }
    return bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
      (1...63).contains(label.count) && label.first != 0x2d && label.last != 0x2d
        && label.allSatisfy {
          Ascii.isDigit($0) || (0x61...0x7a).contains(Ascii.lowercased($0)) || $0 == 0x2d || $0 == 0x5f
        }
    }
  }

  func hostsFileAddresses(of host: String) -> [SocketAddress] { hosts.addresses(of: host) }

  func query(_ name: String, _ family: AresDriver.Family, _ done: @escaping @ControlActor (AresDriver.Answer) -> Void) {
    guard let driver = currentDriver() else { return done(.failed(driverFailure)) }
    queryCount += 1
    driver.query(name, family, done)
  }

  /// Asks for the SRV records of a name as it stands.
  func querySrv(_ name: String, _ done: @escaping @ControlActor (AresDriver.SrvAnswer) -> Void) {
    guard let driver = currentDriver() else { return done(.failed(driverFailure)) }
    queryCount += 1
    driver.querySrv(name, done)
  }

  /// The full names to try in turn for a name (resolv.conf(5), `search` and `ndots`).
  func candidates(_ host: String) -> [String] {
    if host.hasSuffix(".") { return [host] }
    guard let driver = currentDriver(), !driver.searchDomains.isEmpty else { return [host] }
    let searched = driver.searchDomains.filter { $0 != "." && !$0.isEmpty }.map { host + "." + $0 }
    let dots = host.utf8.count { $0 == UInt8(ascii: ".") }
    return dots >= driver.dotsMin ? [host] + searched : searched + [host]
  }

  private func currentDriver() -> AresDriver? {
    let now = Clock.now
    if options.servers.isEmpty,
      resolvConfChecked.map({ now.nanoseconds(since: $0) / 1_000_000 >= options.resolvConfCheckMilliseconds }) ?? true
    {
      resolvConfChecked = now
      let status = (try? FileSystem.status(options.resolvConfPath)) ?? nil
      if status != resolvConf {
        resolvConf = status
        driver?.retire()
        driver = nil
      }
    }
    if let driver { return driver }
    do throws(ResolverError) {
      driver = try AresDriver(
        servers: options.servers, resolvConf: options.resolvConfPath,
        attemptTimeoutMilliseconds: options.attemptTimeoutMilliseconds,
        attempts: options.attempts)
    } catch {
      driverFailure = "resolver: \(error)"
    }
    return driver
  }
}
