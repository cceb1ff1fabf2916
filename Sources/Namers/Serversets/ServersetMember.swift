import MeshBase

/// What a member of a serverset says of itself, as JSON in its node.
struct ServersetMember: Equatable {
  struct Place: Equatable {
    var host: String
    var port: UInt16
  }

  /// `nil`: it offers no endpoint without a name.
  var service: Place?
  var named: [String: Place] = [:]
  /// Only those that say ALIVE are sent requests; a member that says nothing is none of them.
  var isAlive = false
  var shard: Int?

  /// The endpoint with the name, or the one without.
  func place(_ endpoint: String?) -> Place? { endpoint.map { named[$0] } ?? service }

  init(json: [UInt8]) throws(JSONError) {
    var reader = JSONReader(json.span)
    guard try reader.beginObject() else { throw JSONError(.expected("an object"), at: 0) }
    while try reader.nextKey() {
      if reader.isKey("serviceEndpoint") {
        service = try Self.place(&reader)
      } else if reader.isKey("additionalEndpoints"), try reader.beginObject() {
        while try reader.nextKey() {
          let name = reader.key
          named[name] = try Self.place(&reader)
        }
      } else if reader.isKey("status") {
        isAlive = try reader.string() == "ALIVE"
      } else if reader.isKey("shard") {
        shard = try reader.integer()
      }
    }
    try reader.end()
  }

  /// `nil`: null, or one that names no host or no port.
  private static func place(_ reader: inout JSONReader) throws(JSONError) -> Place? {
    guard try reader.beginObject() else { return nil }
    var host: String?
    var port: Int?
    while try reader.nextKey() {
      if reader.isKey("host") {
        host = try reader.string()
      } else if reader.isKey("port") {
        port = try reader.integer()
      }
    }
    guard let host, !host.isEmpty, let port = port.flatMap(UInt16.init(exactly:)), port > 0 else { return nil }
    return Place(host: host, port: port)
  }
}
