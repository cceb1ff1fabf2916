import Foundation

/// What the admin server of a router says.
enum AdminPage {
  static func get(_ router: Router, _ path: String) throws -> String? {
    let socket = try RawSocket(connectingTo: router.adminPort)
    socket.send("GET \(path) HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
    return socket.readResponse().map { String(decoding: $0.body, as: UTF8.self) }
  }

  /// Waits for the admin server, which begins after the routers.
  static func post(_ router: Router, _ path: String, fields: String = "") throws -> Message? {
    var found: RawSocket?
    for _ in 0..<250 where found == nil {
      found = try? RawSocket(connectingTo: router.adminPort)
      if found == nil { usleep(20_000) }
    }
    let socket = try found ?? RawSocket(connectingTo: router.adminPort)
    socket.send("POST \(path) HTTP/1.1\r\nHost: localhost\r\n\(fields)Content-Length: 0\r\nConnection: close\r\n\r\n")
    return socket.readResponse()
  }

  /// The sum of the samples of one family whose labels hold each of these.
  static func sum(_ router: Router, _ family: String, _ labels: String...) throws -> Int {
    let page = try get(router, "/admin/metrics/prometheus") ?? ""
    return page.components(separatedBy: "\n").filter { line in
      line.hasPrefix(family + "{") && labels.allSatisfy { line.contains($0) }
    }.compactMap { Int($0.split(separator: " ").last ?? "") }.reduce(0, +)
  }
}
