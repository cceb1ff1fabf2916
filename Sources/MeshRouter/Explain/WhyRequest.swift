import HTTP
import MeshBase

/// A request that is not sent but explained: what `meshrouter why` was asked about.
public struct WhyRequest: Sendable {
  public var method: String
  /// As on the request line; absolute URLs are taken apart by `init(url:)`.
  public var target: String
  public var headers: [(name: String, value: String)]
  /// Label of the router; `nil` is the first one.
  public var router: String?
  /// Entries that hold for this request alone, as from `l5d-dtab`.
  public var dtab: String?
  /// The name that the caller's certificate has, a URI or a DNS name; `nil`: the caller shows none.
  public var caller: String?

  public init(method: String = "GET", target: String, headers: [(name: String, value: String)]) {
    self.method = method
    self.target = target
    self.headers = headers
  }

  /// `http://web/path` asks for Host `web` unless a header says otherwise; a bare word is a host. `nil`: not a URL.
  public init?(url: String, method: String = "GET", headers: [(name: String, value: String)] = []) {
    var rest = Substring(url)
    if let scheme = rest.range(of: "://") {
      guard ["http", "https"].contains(rest[..<scheme.lowerBound].lowercased()) else { return nil }
      rest = rest[scheme.upperBound...]
    }
    let authorityEnd = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
    let authority = String(rest[..<authorityEnd])
    guard !authority.isEmpty else { return nil }
    var target = String(rest[authorityEnd...].prefix { $0 != "#" })
    if !target.hasPrefix("/") { target = "/" + target }
    self.init(method: method, target: target, headers: headers)
    if !headers.contains(where: { $0.name.lowercased() == "host" }) {
      self.headers.insert(("Host", authority), at: 0)
    }
  }

  /// The request's head as a caller would send it.
  var headBytes: [UInt8] {
    var text = "\(method) \(target) HTTP/1.1\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    if let dtab { text += "l5d-dtab: \(dtab)\r\n" }
    return Array((text + "\r\n").utf8)
  }
}

extension Substring {
  /// Foundation's search, for the one place that needs it.
  fileprivate func range(of text: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
      start = index(after: start)
    }
    return nil
  }
}
