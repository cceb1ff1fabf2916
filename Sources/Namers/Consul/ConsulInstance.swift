import MeshBase

/// How an instance of a Consul service is, by the worst of its checks.
public enum ConsulHealth: String, Sendable, Comparable, CaseIterable {
  case passing
  case warning
  case critical
  /// An operator has taken the node or the instance out.
  case maintenance

  public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
  private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// One entry of `/v1/health/service/NAME`.
struct ConsulInstance: Equatable {
  var nodeAddress = ""
  /// Empty: that of the node.
  var serviceAddress = ""
  var port = 0
  var tags: [String] = []
  var health = ConsulHealth.passing

  static func list(_ json: [UInt8]) throws(JSONError) -> [ConsulInstance] {
    var reader = JSONReader(json.span)
    var instances: [ConsulInstance] = []
    if try reader.beginArray() {
      while try reader.nextElement() {
        if let instance = try ConsulInstance(&reader) { instances.append(instance) }
      }
    }
    try reader.end()
    return instances
  }

  /// `nil`: null.
  private init?(_ reader: inout JSONReader) throws(JSONError) {
    guard try reader.beginObject() else { return nil }
    while try reader.nextKey() {
      if reader.isKey("Node"), try reader.beginObject() {
        while try reader.nextKey() {
          if reader.isKey("Address") { nodeAddress = try reader.string() ?? "" }
        }
      } else if reader.isKey("Service"), try reader.beginObject() {
        while try reader.nextKey() {
          if reader.isKey("Address") {
            serviceAddress = try reader.string() ?? ""
          } else if reader.isKey("Port") {
            port = try reader.integer() ?? 0
          } else if reader.isKey("Tags") {
            tags = try reader.strings()
          }
        }
      } else if reader.isKey("Checks"), try reader.beginArray() {
        while try reader.nextElement() { health = max(health, try Self.health(&reader)) }
      }
    }
  }

  private static func health(_ reader: inout JSONReader) throws(JSONError) -> ConsulHealth {
    var id = ""
    var status = ""
    guard try reader.beginObject() else { return .passing }
    while try reader.nextKey() {
      if reader.isKey("CheckID") {
        id = try reader.string() ?? ""
      } else if reader.isKey("Status") {
        status = try reader.string() ?? ""
      }
    }
    if id == "_node_maintenance" || id.hasPrefix("_service_maintenance:") { return .maintenance }
    // What a newer Consul may call it is at least not passing.
    return ConsulHealth(rawValue: status) ?? .critical
  }
}
