/// One port of an app, and where its tasks have it; the index in the app's list is part of its name.
struct MarathonPort: Equatable, Sendable {
  enum Place: Equatable, Sendable {
    /// On the agent: this one of the task's ports.
    case agent(slot: Int)
    /// On the container's own address. `slot`: the same is also one of the agent's ports. The number 0 stands for that
    /// port's number.
    case container(number: UInt16, slot: Int?)
  }

  var name: String?
  /// `tcp`, `udp` or `udp,tcp`.
  var protocols: String
  /// The port that load balancers are asked to offer it at; `nil`: none.
  var servicePort: Int?
  var place: Place
  /// The values of labels that begin with `VIP`, in the order of the labels' names.
  var vips: [String] = []
  /// The values of the app's labels that are about this port of its tasks, such as `vip_port0`.
  var taskVips: [String] = []
}

extension MarathonPort {
  /// The VIPs that the labels state, those of the port once for each of its protocols.
  var vipLabels: [VipLabel] {
    let ofPort = protocols.split(separator: ",").flatMap { name in
      vips.compactMap { VipLabel(portLabel: $0, isUDP: name == "udp") }
    }
    return ofPort + taskVips.compactMap { VipLabel(taskLabel: $0) }
  }

  /// Of the ports that a task has on its agent, the one this is; `nil`: none.
  var slot: Int? {
    switch place {
    case .agent(let slot): slot
    case .container(_, let slot): slot
    }
  }

  /// One element of `portDefinitions`, `portMappings` or `discovery.ports`, before the network's kind is known.
  struct Draft: Equatable, Sendable {
    var name: String?
    var protocols = "tcp"
    /// `port` of a definition, `servicePort` of a mapping.
    var servicePort: Int?
    /// `containerPort` of a mapping, `number` of a discovery port.
    var number: UInt16 = 0
    var hasHostPort = false
    var vips: [String] = []

    init() {}

    init(servicePort: Int) { self.servicePort = servicePort }

    init(_ reader: inout JSONReader) throws(JSONError) {
      guard try reader.beginObject() else { return }
      var labels: [(name: String, value: String)] = []
      while try reader.nextKey() {
        if reader.isKey("name") {
          name = try reader.string()
        } else if reader.isKey("protocol") {
          protocols = try reader.string() ?? "tcp"
        } else if reader.isKey("port") || reader.isKey("servicePort") {
          servicePort = try reader.integer()
        } else if reader.isKey("containerPort") || reader.isKey("number") {
          number = UInt16(exactly: try reader.integer() ?? 0) ?? 0
        } else if reader.isKey("hostPort") {
          hasHostPort = try reader.integer() != nil
        } else if reader.isKey("labels"), try reader.beginObject() {
          while try reader.nextKey() {
            let key = reader.key
            guard VipLabel.isVipKey(key), try reader.peek() == .string else {
              continue
            }
            if let value = try reader.string() { labels.append((key, value)) }
          }
        }
      }
      vips = labels.sorted { $0.name < $1.name }.map(\.value)
    }

    static func list(_ reader: inout JSONReader) throws(JSONError) -> [Draft] {
      var list: [Draft] = []
      guard try reader.beginArray() else { return list }
      while try reader.nextElement() { list.append(try Draft(&reader)) }
      return list
    }

    func port(_ place: Place) -> MarathonPort {
      MarathonPort(
        name: name, protocols: protocols, servicePort: servicePort, place: place, vips: vips)
    }
  }
}
