import Foundation
import MeshBase

/// A name server on loopback, UDP and TCP, that answers by a table.
public final class DnsServer: @unchecked Sendable {
  public enum Answer: Sendable {
    case addresses([String], ttl: UInt32 = 0)
    /// `PRIORITY WEIGHT PORT TARGET` each.
    case services([String], ttl: UInt32 = 0)
    /// NODATA.
    case nothing
    case nxdomain
    case servfail
    case silence
    /// Over UDP only the sign that TCP has more.
    case truncated([String])
    /// Bytes that are no DNS message behind the header.
    case garbage
  }

  public enum Kind: UInt16, Sendable {
    case a = 1
    case aaaa = 28
    case srv = 33
  }

  private let lock = NSLock()
  // Guarded by `lock`.
  private var zone: [String: Answer] = [:]
  private var asked: [String] = []
  private var isStopped = false
  private let udp: Int32
  private let tcp: Int32
  public let address: SocketAddress

  public init() {
    var port: UInt16 = 0
    var sockets: (udp: Int32, tcp: Int32) = (-1, -1)
    // Both on one port; another process may be quicker.
    for _ in 0..<50 {
      sockets.udp = Self.bound(SOCK_DGRAM.rawValue, port: 0)
      port = Self.port(sockets.udp)
      sockets.tcp = Self.bound(SOCK_STREAM.rawValue, port: port)
      if sockets.tcp >= 0 { break }
      close(sockets.udp)
    }
    precondition(sockets.tcp >= 0, "no port")
    listen(sockets.tcp, 16)
    (udp, tcp) = sockets
    address = .loopback(port: port)
    Foundation.Thread.detachNewThread { [self] in serve() }
  }

  public func stop() {
    lock.withLock { isStopped = true }
    shutdown(tcp, Int32(SHUT_RDWR))
  }

  public func set(_ name: String, _ kind: Kind, _ answer: Answer) { lock.withLock { zone["\(name) \(kind)"] = answer } }

  /// Questions so far, as `name a` or `name aaaa`.
  public var questions: [String] { lock.withLock { asked } }

  private static func bound(_ type: UInt32, port: UInt16) -> Int32 {
    let raw = socket(AF_INET, Int32(type), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if result == 0 { return raw }
    close(raw)
    return -1
  }

  private static func port(_ raw: Int32) -> UInt16 {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(raw, $0, &length) }
    }
    return UInt16(bigEndian: address.sin_port)
  }

  private func serve() {
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while !lock.withLock({ isStopped }) {
      var polls = [
        pollfd(fd: udp, events: Int16(POLLIN), revents: 0), pollfd(fd: tcp, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&polls, 2, 100) > 0 else { continue }
      if polls[0].revents != 0 {
        var peer = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &peer) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { peer in
            let count = recvfrom(udp, &buffer, buffer.count, 0, peer, &length)
            if count > 0, let reply = reply(to: Array(buffer[..<count]), overTCP: false) {
              _ = sendto(udp, reply, reply.count, 0, peer, length)
            }
          }
        }
      }
      if polls[1].revents & Int16(POLLIN) != 0 {
        let connection = accept(tcp, nil, nil)
        guard connection >= 0 else { continue }
        let count = recv(connection, &buffer, buffer.count, 0)
        if count > 2, let reply = reply(to: Array(buffer[2..<count]), overTCP: true) {
          let framed = [UInt8(reply.count >> 8), UInt8(reply.count & 255)] + reply
          // Split, so that the reader has to put it together.
          _ = send(connection, framed, framed.count / 2, 0)
          usleep(5_000)
          _ = Array(framed[(framed.count / 2)...]).withUnsafeBytes { send(connection, $0.baseAddress, $0.count, 0) }
        }
        usleep(20_000)
        close(connection)
      }
    }
    close(udp)
    close(tcp)
  }

  private func reply(to query: [UInt8], overTCP: Bool) -> [UInt8]? {
    guard query.count > 16 else { return nil }
    var labels: [String] = []
    var offset = 12
    while offset < query.count, query[offset] > 0 {
      let end = offset + 1 + Int(query[offset])
      labels.append(String(decoding: query[(offset + 1)..<end], as: UTF8.self))
      offset = end
    }
    let name = labels.joined(separator: ".")
    let type = UInt16(query[offset + 1]) << 8 | UInt16(query[offset + 2])
    guard let kind = Kind(rawValue: type) else { return nil }
    let answer = lock.withLock {
      asked.append("\(name) \(kind)")
      return zone["\(name.lowercased()) \(kind)"] ?? .nxdomain
    }
    let question = Array(query[12..<(offset + 5)])
    func message(_ flags: UInt16, _ addresses: [String] = [], ttl: UInt32 = 0) -> [UInt8] {
      var bytes = Array(query[..<2]) + [UInt8(flags >> 8), UInt8(flags & 255), 0, 1]
      bytes += [UInt8(addresses.count >> 8), UInt8(addresses.count & 255), 0, 0, 0, 0]
      bytes += question
      for text in addresses {
        let address = SocketAddress(ip: text, port: 0)!
        var data = (0..<8).map { UInt8(truncatingIfNeeded: address.high >> (56 - 8 * UInt64($0))) }
        data += (0..<8).map { UInt8(truncatingIfNeeded: address.low >> (56 - 8 * UInt64($0))) }
        if kind == .a { data = Array(data.suffix(4)) }
        bytes += [0xc0, 12, UInt8(type >> 8), UInt8(type & 255), 0, 1]
        bytes += [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: ttl >> $0) }
        bytes += [0, UInt8(data.count)] + data
      }
      return bytes
    }
    func services(_ lines: [String], ttl: UInt32) -> [UInt8] {
      var bytes =
        Array(query[..<2]) + [0x81, 0x80, 0, 1, UInt8(lines.count >> 8), UInt8(lines.count & 255), 0, 0, 0, 0]
      bytes += question
      for line in lines {
        let words = line.split(separator: " ")
        var data = words[..<3].flatMap { word -> [UInt8] in
          let number = UInt16(word)!
          return [UInt8(number >> 8), UInt8(number & 255)]
        }
        for label in words[3].split(separator: ".") { data += [UInt8(label.utf8.count)] + Array(label.utf8) }
        data.append(0)
        bytes += [0xc0, 12, 0, 33, 0, 1] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: ttl >> $0) }
        bytes += [UInt8(data.count >> 8), UInt8(data.count & 255)] + data
      }
      return bytes
    }
    switch answer {
    case .services(let lines, let ttl): return services(lines, ttl: ttl)
    case .addresses(let addresses, let ttl): return message(0x8180, addresses, ttl: ttl)
    case .nothing: return message(0x8180)
    case .nxdomain: return message(0x8183)
    case .servfail: return message(0x8182)
    case .silence: return nil
    case .truncated(let addresses): return overTCP ? message(0x8180, addresses, ttl: 60) : message(0x8380)
    case .garbage: return Array(message(0x8180, ["1.2.3.4"]).dropLast(7))
    }
  }
}
