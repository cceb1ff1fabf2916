import MeshBase

/// What the node of a leader says of where it listens.
enum LeaderData {
  struct Place: Hashable {
    /// The address where one is given, else the name.
    var host: String
    /// What certificates are for, where a name is given beside the address.
    var name: String?
    var port: UInt16
  }

  /// Reads `HOST:PORT`, several of them joined by commas, a member of a serverset, or the `MasterInfo` of a Mesos master.
  /// Empty: none of these.
  static func places(_ data: [UInt8]) -> [Place] {
    let text = String(decoding: data, as: UTF8.self)
    if data.first(where: { $0 > 0x20 }) == UInt8(ascii: "{") { return (try? json(data)).map { $0 } ?? [] }
    var places: [Place] = []
    for part in text.split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\n" }) {
      guard let host = ClusterHost(String(part), defaultPort: 0), host.port > 0 else { return [] }
      places.append(Place(host: host.host, port: host.port))
    }
    return places
  }

  private static func json(_ data: [UInt8]) throws(JSONError) -> [Place] {
    var reader = JSONReader(data.span)
    guard try reader.beginObject() else { return [] }
    var address: Place?
    var service: Place?
    var hostname: String?
    var port: Int?
    var pid: String?
    while try reader.nextKey() {
      if reader.isKey("address") {
        address = try place(&reader)
      } else if reader.isKey("serviceEndpoint") {
        service = try place(&reader)
      } else if reader.isKey("hostname") {
        hostname = try reader.string()
      } else if reader.isKey("port") {
        port = try reader.integer()
      } else if reader.isKey("pid") {
        pid = try reader.string()
      }
    }
    if let place = address ?? service { return [place] }
    // Masters before 0.24 have no `address`, and their number `ip` depends on the order of the host's bytes.
    if let pid, let at = pid.lastIndex(of: "@"), let host = ClusterHost(String(pid[pid.index(after: at)...])) {
      return [Place(host: host.host, name: hostname, port: host.port)]
    }
    guard let hostname, !hostname.isEmpty, let port = port.flatMap(UInt16.init(exactly:)), port > 0 else { return [] }
    return [Place(host: hostname, port: port)]
  }

  /// An object with `ip`, `hostname` or `host`, and `port`.
  private static func place(_ reader: inout JSONReader) throws(JSONError) -> Place? {
    guard try reader.beginObject() else { return nil }
    var ip: String?
    var name: String?
    var port: Int?
    while try reader.nextKey() {
      if reader.isKey("ip") {
        ip = try reader.string()
      } else if reader.isKey("hostname") || reader.isKey("host") {
        name = try reader.string()
      } else if reader.isKey("port") {
        port = try reader.integer()
      }
    }
    let host = [ip, name].lazy.compactMap(\.self).first { !$0.isEmpty }
    guard let host, let port = port.flatMap(UInt16.init(exactly:)), port > 0 else { return nil }
    return Place(host: host, name: name == host ? nil : name, port: port)
  }
}
