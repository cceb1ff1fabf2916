import MeshBase

/// An object of the Kubernetes API, with as much of it as a namer needs.
protocol KubernetesObject: Equatable, Sendable {
  /// Reads the object that comes next.
  init(_ reader: inout JSONReader) throws(JSONError)
  var metadata: KubernetesMetadata { get }
}

struct KubernetesMetadata: Equatable, Sendable {
  var name = ""
  /// Opaque: compared for equality only.
  var resourceVersion = ""

  init() {}

  init(_ reader: inout JSONReader) throws(JSONError) {
    guard try reader.beginObject() else { return }
    while try reader.nextKey() {
      if reader.isKey("name") {
        name = try reader.string() ?? ""
      } else if reader.isKey("resourceVersion") {
        resourceVersion = try reader.string() ?? ""
      }
    }
  }
}

/// A port for TCP, of a service or of its endpoints.
struct KubernetesPort: Equatable, Sendable {
  /// Empty: the only one, without a name.
  var name = ""
  /// Of endpoints, `nil`: all.
  var number: Int?
}

extension [KubernetesPort] {
  /// Reads the rest of an array; ports for anything but TCP are left out.
  fileprivate mutating func readTCP(_ reader: inout JSONReader) throws(JSONError) {
    while try reader.nextElement() {
      guard try reader.beginObject() else { continue }
      var port = KubernetesPort()
      var isTCP = true
      while try reader.nextKey() {
        if reader.isKey("name") {
          port.name = try reader.string() ?? ""
        } else if reader.isKey("port") {
          port.number = try reader.integer()
        } else if reader.isKey("protocol") {
          isTCP = try reader.string() ?? "TCP" == "TCP"
        }
      }
      if isTCP { append(port) }
    }
  }
}

/// `discovery.k8s.io/v1`: some of the endpoints of a service.
struct EndpointSlice: KubernetesObject {
  struct Place: Equatable, Sendable {
    var address = ""
    var isReady = true
    var isServing = true
    var isTerminating = false
  }

  enum Family: Equatable, Sendable {
    case ipv4, ipv6, name
  }

  var metadata = KubernetesMetadata()
  var family = Family.ipv4
  var ports: [KubernetesPort] = []
  var places: [Place] = []

  init() {}

  init(_ reader: inout JSONReader) throws(JSONError) {
    guard try reader.beginObject() else { return }
    while try reader.nextKey() {
      if reader.isKey("metadata") {
        metadata = try KubernetesMetadata(&reader)
      } else if reader.isKey("addressType") {
        switch try reader.string() {
        case "IPv6": family = .ipv6
        case "FQDN": family = .name
        default: family = .ipv4
        }
      } else if reader.isKey("ports"), try reader.beginArray() {
        try ports.readTCP(&reader)
      } else if reader.isKey("endpoints"), try reader.beginArray() {
        while try reader.nextElement() { if let place = try Self.place(&reader) { places.append(place) } }
      }
    }
  }

  /// `nil`: without an address. Of several addresses, which lead to the same place, the first counts.
  private static func place(_ reader: inout JSONReader) throws(JSONError) -> Place? {
    guard try reader.beginObject() else { return nil }
    var place = Place()
    // A missing `ready` is to be taken for true, a missing `serving` for the same as `ready`.
    var serving: Bool?
    while try reader.nextKey() {
      if reader.isKey("addresses") {
        place.address = try reader.strings().first ?? ""
      } else if reader.isKey("conditions"), try reader.beginObject() {
        while try reader.nextKey() {
          if reader.isKey("ready") {
            place.isReady = try reader.boolean() ?? true
          } else if reader.isKey("serving") {
            serving = try reader.boolean()
          } else if reader.isKey("terminating") {
            place.isTerminating = try reader.boolean() ?? false
          }
        }
      }
    }
    place.isServing = serving ?? place.isReady
    return place.address.isEmpty ? nil : place
  }
}

/// `v1`: what a service offers, and where it can be reached from outside.
struct KubernetesService: KubernetesObject {
  var metadata = KubernetesMetadata()
  var ports: [KubernetesPort] = []
  /// The name it stands for, of a service that has no endpoints of its own.
  var externalName: String?
  /// Addresses or names of its load balancer.
  var ingress: [String] = []

  init() {}

  init(_ reader: inout JSONReader) throws(JSONError) {
    guard try reader.beginObject() else { return }
    while try reader.nextKey() {
      if reader.isKey("metadata") {
        metadata = try KubernetesMetadata(&reader)
      } else if reader.isKey("spec") {
        try readSpec(&reader)
      } else if reader.isKey("status"), try reader.beginObject() {
        while try reader.nextKey() {
          guard reader.isKey("loadBalancer"), try reader.beginObject() else { continue }
          while try reader.nextKey() {
            guard reader.isKey("ingress"), try reader.beginArray() else { continue }
            while try reader.nextElement() { try readIngress(&reader) }
          }
        }
      }
    }
  }

  private mutating func readSpec(_ reader: inout JSONReader) throws(JSONError) {
    guard try reader.beginObject() else { return }
    var type = ""
    var name: String?
    while try reader.nextKey() {
      if reader.isKey("type") {
        type = try reader.string() ?? ""
      } else if reader.isKey("externalName") {
        name = try reader.string()
      } else if reader.isKey("ports"), try reader.beginArray() {
        try ports.readTCP(&reader)
      }
    }
    externalName = type == "ExternalName" ? name : nil
  }

  private mutating func readIngress(_ reader: inout JSONReader) throws(JSONError) {
    guard try reader.beginObject() else { return }
    var ip: String?
    var name: String?
    while try reader.nextKey() {
      if reader.isKey("ip") {
        ip = try reader.string()
      } else if reader.isKey("hostname") {
        name = try reader.string()
      }
    }
    if let place = ip ?? name, !place.isEmpty { ingress.append(place) }
  }
}
