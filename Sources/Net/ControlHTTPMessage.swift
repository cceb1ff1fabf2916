import MeshBase

/// Field lines of a control-plane message in their order; names match in any letter case.
public struct ControlHeaders: Sendable, Equatable {
  public struct Field: Sendable, Equatable {
    public var name: String
    public var value: String
  }

  public private(set) var fields: [Field] = []

  public init() {}

  public init(_ fields: KeyValuePairs<String, String>) {
    for (name, value) in fields { add(name, value) }
  }

  /// The value of the first line with this name.
  public subscript(_ name: String) -> String? { fields.first { Self.equal($0.name, name) }?.value }

  /// The values of all lines with this name.
  public func all(_ name: String) -> [String] { fields.filter { Self.equal($0.name, name) }.map(\.value) }

  /// A line more. Control characters, which could forge another line, become blanks.
  public mutating func add(_ name: String, _ value: String) {
    var clean = String.UnicodeScalarView()
    for scalar in value.unicodeScalars { clean.append(scalar.value < 0x20 || scalar.value == 0x7f ? " " : scalar) }
    fields.append(Field(name: name, value: String(clean)))
  }

  /// The only line with this name from now on.
  public mutating func set(_ name: String, _ value: String) {
    fields.removeAll { Self.equal($0.name, name) }
    add(name, value)
  }

  private static func equal(_ a: String, _ b: String) -> Bool {
    a.utf8.count == b.utf8.count && zip(a.utf8, b.utf8).allSatisfy { Ascii.lowercased($0) == Ascii.lowercased($1) }
  }
}

/// A request to a control-plane server, whole.
public struct ControlRequest: Sendable {
  public var method: String
  /// As sent, decoded (`%2F` has become `/`); begins with `/`.
  public var path: String
  /// Decoded pairs in their order.
  public var query: ControlQuery
  public var headers: ControlHeaders
  public var body: [UInt8]
  /// `nil` behind a Unix socket.
  public var peer: SocketAddress?

  public init(
    method: String, target: String, headers: ControlHeaders = ControlHeaders(), body: [UInt8] = [],
    peer: SocketAddress? = nil
  ) {
    self.method = method
    let mark = target.utf8.firstIndex(of: UInt8(ascii: "?"))
    path = ControlQuery.decode(target.utf8[..<(mark ?? target.utf8.endIndex)], plusIsBlank: false)
    query = ControlQuery(mark.map { String(target[target.index(after: $0)...]) } ?? "")
    self.headers = headers
    self.body = body
    self.peer = peer
  }
}

/// What a control-plane server answers.
public struct ControlResponse: Sendable {
  public enum Body: Sendable {
    case whole([UInt8])
    /// Written piece by piece; ends when the closure returns. A closure that throws breaks the connection off, so that
    /// the client sees that something is missing.
    case stream(@ControlActor @Sendable (ControlBodyWriter) async throws -> Void)
    /// As `stream`, for one that may wait for ever: its task is cancelled when the client has gone.
    case watch(@ControlActor @Sendable (ControlBodyWriter) async throws -> Void)
  }

  public var status: Int
  public var headers: ControlHeaders
  public var body: Body

  public init(status: Int = 200, headers: ControlHeaders = ControlHeaders(), body: Body = .whole([])) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  public init(status: Int = 200, contentType: String, _ bytes: [UInt8]) {
    self.init(status: status, headers: ControlHeaders(["Content-Type": contentType]), body: .whole(bytes))
  }

  /// `text/plain`, with a line end added where there is none.
  public static func text(status: Int = 200, _ text: String) -> ControlResponse {
    let text = text.hasSuffix("\n") ? text : text + "\n"
    return ControlResponse(status: status, contentType: "text/plain; charset=utf-8", Array(text.utf8))
  }
}
