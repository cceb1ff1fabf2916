import MeshBase
import Net

/// The API of a Kubernetes cluster as far as it is published for lists and watches, with the faults of real servers.
@ControlActor
public final class FakeKubernetes {
  private struct Stored {
    var kind: String
    var namespace: String
    var name: String
    var labels: [String: String]
    var json: String
    var version: Int
  }

  private struct Change {
    var type: String
    var object: Stored
  }

  private final class Watcher {
    var lines: [String] = []
    var isCut = false
    var waiting: CheckedContinuation<Void, Never>?
    let matches: @ControlActor (Stored) -> Bool
    init(_ matches: @escaping @ControlActor (Stored) -> Bool) { self.matches = matches }

    @ControlActor func add(_ line: String) {
      lines.append(line)
      wake()
    }

    @ControlActor func wake() {
      waiting?.resume()
      waiting = nil
    }
  }

  private var server: ControlHTTPServer?
  public private(set) var port: UInt16 = 0
  private var version = 100
  private var objects: [String: Stored] = [:]
  private var history: [Change] = []
  /// Versions before are forgotten: 410.
  private var oldest = 0
  private var watchers: [Watcher] = []
  /// All answers are this, when set.
  public var failure: (status: Int, text: String)?
  /// What a request must bear.
  public var token: String?
  public private(set) var requests: [String] = []

  public init(port: UInt16 = 0, tls: TLSServerContext? = nil) throws {
    let server = try ControlHTTPServer(on: .loopback(port: port), tls: tls) { [weak self] request in
      self?.answer(request) ?? .text(status: 503, "gone")
    }
    self.server = server
    self.port = server.address?.port ?? 0
  }

  public func stop() async {
    cutWatches()
    await server?.close()
    server = nil
  }

  public var watchCount: Int { watchers.count }
  public var lists: [String] { requests.filter { !$0.contains("watch=true") } }
  public var watches: [String] { requests.filter { $0.contains("watch=true") } }

  // MARK: Objects

  public func slice(
    _ name: String, of service: String, in namespace: String = "ns", family: String = "IPv4",
    ports: String = #"[{"name":"http","port":8080,"protocol":"TCP"}]"#, labels: [String: String] = [:],
    _ endpoints: [(address: String, conditions: String)]
  ) {
    var all = labels
    all["kubernetes.io/service-name"] = service
    let places = endpoints.map { #"{"addresses":["\#($0.address)"],"conditions":{\#($0.conditions)}}"# }
    put(
      "endpointslices", namespace, name, all,
      #""addressType":"\#(family)","ports":\#(ports),"endpoints":[\#(places.joined(separator: ","))]"#)
  }

  public func service(
    _ name: String, in namespace: String = "ns", labels: [String: String] = [:], spec: String, status: String = "{}"
  ) {
    put("services", namespace, name, labels, #""spec":\#(spec),"status":\#(status)"#)
  }

  private func put(_ kind: String, _ namespace: String, _ name: String, _ labels: [String: String], _ json: String) {
    version += 1
    let key = "\(kind)/\(namespace)/\(name)"
    let stored = Stored(kind: kind, namespace: namespace, name: name, labels: labels, json: json, version: version)
    let change = Change(type: objects[key] == nil ? "ADDED" : "MODIFIED", object: stored)
    objects[key] = stored
    tell(change)
  }

  public func delete(_ kind: String, _ name: String, in namespace: String = "ns") {
    guard var stored = objects.removeValue(forKey: "\(kind)/\(namespace)/\(name)") else { return }
    version += 1
    stored.version = version
    tell(Change(type: "DELETED", object: stored))
  }

  private func tell(_ change: Change) {
    history.append(change)
    for watcher in watchers where watcher.matches(change.object) { watcher.add(line(change)) }
  }

  private func line(_ change: Change) -> String {
    #"{"type":"\#(change.type)","object":\#(text(change.object))}"# + "\n"
  }

  private func text(_ stored: Stored) -> String {
    #"{"metadata":{"name":"\#(stored.name)","resourceVersion":"\#(stored.version)"},\#(stored.json)}"#
  }

  // MARK: Faults

  public func cutWatches() {
    for watcher in watchers {
      watcher.isCut = true
      watcher.wake()
    }
    watchers = []
  }

  public func bookmark() {
    for watcher in watchers {
      watcher.add(#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"\#(version)"}}}"# + "\n")
    }
  }

  /// As etcd's compaction does: versions up to now are forgotten.
  public func compact() { oldest = version }

  public func tellWatches(_ text: String) { for watcher in watchers { watcher.add(text) } }

  // MARK: Requests

  private func answer(_ request: ControlRequest) -> ControlResponse {
    requests.append(request.path + "?" + request.query.pairs.map { "\($0.name)=\($0.value)" }.joined(separator: "&"))
    if let failure { return .text(status: failure.status, failure.text) }
    if let token, request.headers["Authorization"] != "Bearer \(token)" { return .text(status: 401, "Unauthorized") }
    let parts = request.path.split(separator: "/").map(String.init)
    guard let place = parts.firstIndex(of: "namespaces"), parts.count == place + 3 else {
      return .text(status: 404, "not found")
    }
    let (namespace, kind) = (parts[place + 1], parts[place + 2])
    var wanted: [String: String] = [:]
    for pair in (request.query["labelSelector"] ?? "").split(separator: ",") {
      let sides = pair.split(separator: "=").map(String.init)
      wanted[sides[0]] = sides[1]
    }
    let name = request.query["fieldSelector"].map { String($0.dropFirst("metadata.name=".count)) }
    let matches: @ControlActor (Stored) -> Bool = { stored in
      stored.kind == kind && stored.namespace == namespace && (name == nil || name == stored.name)
        && wanted.allSatisfy { stored.labels[$0.key] == $0.value }
    }
    guard request.query["watch"] == "true" else {
      let items = objects.values.filter(matches).sorted { $0.name < $1.name }.map(text)
      let json =
        #"{"kind":"List","items":[\#(items.joined(separator: ","))],"metadata":{"resourceVersion":"\#(version)"}}"#
      return ControlResponse(contentType: "application/json", Array(json.utf8))
    }
    let since = Int(request.query["resourceVersion"] ?? "") ?? 0
    let watcher = Watcher(matches)
    if since < oldest {
      watcher.lines = [#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}"# + "\n"]
      watcher.isCut = true
    } else {
      watcher.lines = history.filter { $0.object.version > since && matches($0.object) }.map(line)
      watchers.append(watcher)
    }
    return ControlResponse(
      headers: ControlHeaders(["Content-Type": "application/json"]),
      body: .watch { writer in
        // The head goes out with the first bytes: an empty line is no event.
        try await writer.write("\n")
        while true {
          let lines = watcher.lines
          watcher.lines = []
          // In pieces, as they come over a network.
          for line in lines {
            let bytes = Array(line.utf8)
            try await writer.write(Array(bytes[..<(bytes.count / 2)]))
            try await writer.write(Array(bytes[(bytes.count / 2)...]))
          }
          if watcher.lines.isEmpty {
            if watcher.isCut { return }
            await withCheckedContinuation { watcher.waiting = $0 }
          }
        }
      })
  }
}
