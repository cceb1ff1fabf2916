import Dtab
import MeshBase

/// What no key can tell by itself: conflicts between keys, names that lead nowhere, and dangers.
extension Decoding {
  mutating func check(_ configuration: Configuration) {
    checkLabels(configuration)
    checkAddresses(configuration)
    checkPrefixes(configuration)
    checkMesos(configuration)
    checkExposure(configuration)
    checkDtabs(configuration)
    checkDurability(configuration)
  }

  private func path(router index: Int) -> String { "routers[\(self.index(index, of: "routers"))]" }

  private func path(router: Int, server index: Int) -> String {
    let list = path(router: router) + ".servers"
    return "\(list)[\(self.index(index, of: list))]"
  }

  private mutating func checkLabels(_ configuration: Configuration) {
    var first: [String: String] = [:]
    for (index, router) in configuration.routers.enumerated() {
      let path = path(router: index)
      // A default label depends on the protocol.
      guard isSound(path + ".label"), isSound(path + ".protocol") else { continue }
      guard let other = first[router.label] else {
        first[router.label] = path
        continue
      }
      let isWritten = values[path + ".label"] != nil
      report(
        .error, .conflict, at: isWritten ? path + ".label" : path,
        "the label \"\(router.label)\" is already used by \(other)",
        remedy: isWritten ? "Labels are unique." : "Give this router a \"label\".")
    }
  }

  private mutating func checkAddresses(_ configuration: Configuration) {
    // The admin server comes first in the list, and the later of two is told.
    var taken: [UInt16: [(address: SocketAddress, owner: String)]] = [:]
    func address(_ ip: String, _ port: Int, _ path: String) -> SocketAddress? {
      guard port != 0, isSound(path + ".port"), isSound(path + ".ip") else { return nil }
      return SocketAddress(ip: ip, port: UInt16(port))
    }
    if let address = address(configuration.admin.ip, configuration.admin.port, "admin") {
      taken[address.port] = [(address, "admin")]
    }
    for (routerIndex, router) in configuration.routers.enumerated() {
      for (serverIndex, server) in router.servers.enumerated() {
        let path = path(router: routerIndex, server: serverIndex)
        guard let address = address(server.ip, server.port, path) else { continue }
        if let other = taken[address.port]?.first(where: { Self.overlap($0.address, address) }) {
          let how = other.address == address ? "already used by" : "within \(other.address) of"
          let wider = address.isUnspecified && !other.address.isUnspecified
          report(
            .error, .conflict, at: values[path + ".port"] == nil ? path : path + ".port",
            wider ? "\(address) takes in \(other.address) of \(other.owner)" : "\(address) is \(how) \(other.owner)",
            remedy: "Choose another port.")
        }
        taken[address.port, default: []].append((address, path))
      }
    }
  }

  /// Whether two listeners could not both have all connections they ask for.
  private static func overlap(_ a: SocketAddress, _ b: SocketAddress) -> Bool {
    guard a.port == b.port else { return false }
    if a == b || (a.isUnspecified && b.isUnspecified) { return true }
    // The unspecified IPv6 address takes IPv4 connections as well.
    if a.isUnspecified { return !a.isIPv4 || b.isIPv4 }
    if b.isUnspecified { return !b.isIPv4 || a.isIPv4 }
    return false
  }

  private mutating func checkPrefixes(_ configuration: Configuration) {
    var first: [String: String] = [:]
    for (index, namer) in configuration.namers.enumerated() {
      let path = "namers[\(self.index(index, of: "namers"))]"
      guard isSound(path + ".prefix") else { continue }
      guard let other = first[namer.prefix] else {
        first[namer.prefix] = path
        continue
      }
      report(
        .error, .conflict, at: values[path + ".prefix"] == nil ? path : path + ".prefix",
        "the prefix \(namer.prefix) is already used by \(other)", remedy: "Give this namer another \"prefix\".")
    }
  }

  /// The namers of VIPs and of mesos-dns names need the namer that knows the tasks.
  private mutating func checkMesos(_ configuration: Configuration) {
    var known: [String] = []
    var marathons: [String] = []
    for namer in configuration.namers {
      switch namer.kind {
      case .mesos: known.append(namer.prefix)
      case .marathon: marathons.append(namer.prefix)
      default: break
      }
    }
    for (index, namer) in configuration.namers.enumerated() {
      let path = "namers[\(self.index(index, of: "namers"))]"
      let name: String?
      switch namer.kind {
      case .vip(let vip):
        name = vip.mesos
        if let marathon = vip.marathon, !marathons.contains(marathon), isSound(path + ".marathon") {
          report(
            .error, .conflict, at: path + ".marathon", "there is no namer of the kind io.l5d.marathon at \(marathon)",
            remedy: "Add one to \"namers\", or leave the key out.")
          continue
        }
        // Its labels state VIPs, too.
        if name == nil, known.isEmpty, !marathons.isEmpty { continue }
      case .mesosDns(let dns): name = dns.mesos
      default: continue
      }
      let isWritten = values[path + ".mesos"] != nil
      guard isSound(path + ".mesos"), name.map({ !known.contains($0) }) ?? known.isEmpty else { continue }
      report(
        .error, .conflict, at: isWritten ? path + ".mesos" : path,
        "there is no namer of the kind io.l5d.mesos" + (name.map { " at \($0)" } ?? ""),
        remedy: "Add one to \"namers\": its masters tell of the tasks.")
    }
  }

  /// Only who has a certificate that verifies comes in.
  private static func knowsItsCallers(_ server: Configuration.Server) -> Bool {
    guard let tls = server.tls else { return false }
    return tls.enabled && tls.clientAuthentication == .required
  }

  private mutating func checkExposure(_ configuration: Configuration) {
    let admin = configuration.admin
    if admin.token == nil, isSound("admin.token"), let address = SocketAddress(ip: admin.ip, port: 0),
      !address.isLoopback
    {
      report(
        .warning, .exposure, at: "admin.ip", "\(admin.ip) without a token: anyone who reaches it may edit dtabs",
        remedy: "Set admin.token, or listen on 127.0.0.1.")
    }
    for (routerIndex, router) in configuration.routers.enumerated() {
      for (serverIndex, server) in router.servers.enumerated() where !server.clearContext {
        let key = path(router: routerIndex, server: serverIndex) + ".clearContext"
        guard values[key] != nil, isSound(key), let address = SocketAddress(ip: server.ip, port: 0),
          !address.isLoopback, !Self.knowsItsCallers(server)
        else { continue }
        report(
          .warning, .exposure, at: key,
          "false on \(server.ip): anyone who reaches it may choose where requests go, by l5d-dtab",
          remedy: "Leave it out unless all callers are routers; or let only them in, by tls.requireClientAuth.")
      }
    }
  }

  private mutating func checkDurability(_ configuration: Configuration) {
    if values["dtabStore"] == nil {
      report(
        .hint, .durability, at: "dtabStore", "not set: dtabs edited at runtime are lost when the process ends",
        remedy: "Set dtabStore: {kind: io.l5d.dir, directory: PATH}.")
    }
    for (index, router) in configuration.routers.enumerated() where router.servers.isEmpty {
      let path = path(router: index)
      if let found = values[path + ".servers"], case .sequence(let items) = found.node.content, !items.isEmpty {
        continue  // Each of them has an error of its own.
      }
      report(
        .warning, .missingKey, at: path, "no servers: nothing will reach this router",
        remedy: "Add for example servers: [{port: 4140}].")
    }
  }
}

extension Decoding {
  /// Built-in namers which are not rewriting ones.
  private static let builtIn = ["inet", "fixedinet", "nil", "fail"]

  /// Paths of dtabs which no namer will ever know.
  private mutating func checkDtabs(_ configuration: Configuration) {
    // An unread namer may be the one that a path wants.
    let knowsNamers =
      kept["namers"] == nil && configuration.namers.indices.allSatisfy { isSound("namers[\($0)].prefix") }
    let prefixes = configuration.namers.compactMap { try? Path(parsing: $0.prefix) }
    for (index, router) in configuration.routers.enumerated() {
      let key = path(router: index) + ".dtab"
      guard let found = values[key], isSound(key), let dtab = try? Dtab(parsing: router.dtab) else { continue }
      var told: Set<String> = []
      for entry in dtab.entries {
        entry.tree.forEachLeaf { leaf in
          guard leaf.count >= 2, let first = leaf.first?.text else { return }
          if first == "#", knowsNamers {
            let rest = leaf.dropFirst(1)
            if prefixes.contains(where: { rest.hasPrefix($0) }) || !told.insert(leaf[1].text).inserted { return }
            let near = didYouMean(
              leaf.prefix(2).description, among: configuration.namers.map { "/#" + $0.prefix })
            tell(found, router.dtab, leaf, "no namer has the prefix \(rest.prefix(1))", near ?? "Add it to \"namers\".")
          } else if first == "$", !Self.builtIn.contains(leaf[1].text), !SystemRewrite.names.contains(leaf[1].text) {
            guard told.insert(leaf[1].text).inserted else { return }
            let near = didYouMean(leaf[1].text, among: Self.builtIn + SystemRewrite.names)
            tell(found, router.dtab, leaf, "there is no built-in namer \(leaf.prefix(2))", near)
          }
        }
      }
      if !dtab.isEmpty, isSound(path(router: index) + ".dstPrefix"), let start = try? Path(parsing: router.dstPrefix),
        !dtab.entries.contains(where: { Self.mayMatch($0.prefix, start) })
      {
        report(
          .hint, .dtabName, at: key, "no entry begins with \(router.dstPrefix), as all names of this router do",
          remedy: "Entries may come from the namespace \"\(router.namespace)\" later.")
      }
    }
  }

  private mutating func tell(_ found: Found, _ dtab: String, _ leaf: Path, _ message: String, _ remedy: String?) {
    let written = leaf.prefix(2).description
    var place = found.place
    // Only a whole label: /#/a is not where /#/ab begins.
    let start = dtab.ranges(of: written).first { range in
      dtab.utf8[range.upperBound...].first.map { " \t\r\n/;|&)#".utf8.contains($0) } ?? true
    }?.lowerBound
    if !found.isSubstituted, let start {
      place = self.place(in: found.node, at: dtab.unicodeScalars.distance(from: dtab.startIndex, to: start))
      place.length = written.unicodeScalars.count
    }
    report(.warning, .dtabName, found.trail, place, message + ": what leads there fails", remedy: remedy)
  }

  /// Whether some name below `start` could have the prefix.
  private static func mayMatch(_ prefix: PathPrefix, _ start: Path) -> Bool {
    zip(prefix.elements, start.labels).allSatisfy { element, label in
      if case .label(let wanted) = element { wanted == label } else { true }
    }
  }
}
