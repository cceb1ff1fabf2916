import MeshBase
import Net

/// The host's table of names, `/etc/hosts`, read again whenever it has changed.
@ControlActor
final class HostsFile {
  private static let bytesMax = 16 << 20
  private let path: String
  private var status: FileSystem.Status?
  private var names: [String: [SocketAddress]] = [:]

  init(path: String) { self.path = path }

  /// Addresses with port 0, in the order of the file; empty if the name is not in it or there is no file.
  func addresses(of host: String) -> [SocketAddress] {
    let found = (try? FileSystem.status(path)) ?? nil
    if found != status {
      status = found
      let bytes = found.flatMap { _ in try? FileSystem.read(path, limit: Self.bytesMax) } ?? []
      names = Self.parse(bytes)
    }
    return names[host] ?? []
  }

  /// Lines of an address and its names; a malformed line is passed over, as every resolver does.
  nonisolated static func parse(_ bytes: [UInt8]) -> [String: [SocketAddress]] {
    var names: [String: [SocketAddress]] = [:]
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let text = String(decoding: line.prefix { $0 != UInt8(ascii: "#") }, as: UTF8.self)
      let words = text.split { $0 == " " || $0 == "\t" || $0 == "\r" }
      guard let first = words.first, let address = SocketAddress(ip: String(first), port: 0) else { continue }
      for word in words.dropFirst() {
        let name = word.lowercased()
        if names[name]?.contains(address) != true { names[name, default: []].append(address) }
      }
    }
    return names
  }
}
