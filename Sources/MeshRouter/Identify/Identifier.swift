import Config
import Dtab
import HTTP
import MeshBase

/// Derives a logical name from a request; what linkerd calls an identifier.
///
/// The name is written in printed form, so that it is at once the key of the bind cache and what people read.
/// A class, so that going through a router's identifiers copies none of their configuration.
final class Identifier {
  private let kind: Configuration.Identifier
  /// "/svc", or empty for the root.
  private let prefix: [UInt8]
  /// The field to read; of kinds that read none, an empty name.
  private let header: HeaderName
  /// Of `static`: the whole name.
  private let fixed: [UInt8]

  /// Whether it looks at who the caller is.
  var readsCaller: Bool { kind == .clientCertificate }

  enum Result: Equatable {
    case none
    case badPath
    /// Written. `consumed` bytes of the request's path are to be cut off before it is sent on.
    case name(consumed: Int)
  }

  init(_ kind: Configuration.Identifier, dstPrefix: String) {
    self.kind = kind
    prefix = dstPrefix == "/" ? [] : Array(dstPrefix.utf8)
    var field = ""
    var fixed: [UInt8] = []
    switch kind {
    case .headerToken(let name), .header(let name): field = name
    case .static(let path): fixed = prefix + Array(path.utf8)
    case .methodAndHost, .path, .clientCertificate: break
    }
    header = HeaderName(field)
    self.fixed = fixed
  }

  /// Reads the request parsed in `request`, whose bytes are `head`, and appends the name to `key`.
  @inline(__always)
  func identify(
    _ request: inout RequestHead, _ head: UnsafeRawBufferPointer, caller: CallerIdentity? = nil, into key: ByteBuffer
  ) -> Result {
    if case .headerToken = kind, header.known == .host {
      guard let host = request.host, host.count > 0 else { return .none }
      appendPrefix(key)
      key.appendLabel(head[host])
      return .name(consumed: 0)
    }
    return identifyOther(&request, head, caller: caller, into: key)
  }

  @inline(never)
  private func identifyOther(
    _ request: inout RequestHead, _ head: UnsafeRawBufferPointer, caller: CallerIdentity?, into key: ByteBuffer
  ) -> Result {
    switch kind {
    case .headerToken:
      guard let value = header.value(&request, head), value.count > 0 else { return .none }
      appendPrefix(key)
      key.appendLabel(value)
      return .name(consumed: 0)
    case .header:
      guard let value = header.value(&request, head), value.count > 0 else { return .none }
      guard let path = try? Path(parsing: String(decoding: value, as: UTF8.self)) else { return .badPath }
      appendPrefix(key)
      key.append(path.description)
      return .name(consumed: 0)
    case .methodAndHost(let withURI):
      return methodAndHost(&request, head, withURI: withURI, into: key)
    case .path(let segments, let consume):
      let taken = appendSegments(of: head[request.path(in: head)], limit: segments, into: key)
      return taken.map { .name(consumed: consume ? $0 : 0) } ?? .none
    case .clientCertificate:
      guard let caller, !caller.path.isEmpty else { return .none }
      appendPrefix(key)
      caller.path.withUnsafeBytes { key.append($0) }
      return .name(consumed: 0)
    case .static:
      fixed.withUnsafeBytes { key.append($0) }
      return .name(consumed: 0)
    }
  }

  /// `/svc/1.1/GET/host[/path…]`; HTTP/1.0 has no host element.
  private func methodAndHost(
    _ request: inout RequestHead, _ head: UnsafeRawBufferPointer, withURI: Bool, into key: ByteBuffer
  ) -> Result {
    appendPrefix(key)
    key.append(request.minorVersion == 0 ? "/1.0" : "/1.1")
    key.appendLabel(head[request.methodRange])
    if request.minorVersion == 1 {
      guard let host = request.host, host.count > 0 else {
        key.removeAll()
        return .none
      }
      let lower = head[host].map(Ascii.lowercased)
      lower.withUnsafeBytes { key.appendLabel($0) }
    }
    if withURI { _ = appendSegments(of: head[request.path(in: head)], limit: nil, into: key, withPrefix: false) }
    return .name(consumed: 0)
  }

  /// Appends path segments as labels; the bytes they took, or `nil` (and nothing appended) if there are too few.
  private func appendSegments(
    of path: UnsafeRawBufferPointer, limit: Int?, into key: ByteBuffer, withPrefix: Bool = true
  ) -> Int? {
    let start = key.count
    if withPrefix { appendPrefix(key) }
    var index = 0
    var taken = 0
    while taken < limit ?? .max, index < path.count, path[index] == UInt8(ascii: "/") {
      var end = index + 1
      while end < path.count, path[end] != UInt8(ascii: "/") { end += 1 }
      if end == index + 1 { break }  // an empty segment names nothing
      key.appendLabel(UnsafeRawBufferPointer(rebasing: path[(index + 1)..<end]))
      taken += 1
      index = end
    }
    if let limit, taken < limit {
      key.truncate(to: start)
      return nil
    }
    return index
  }

  @inline(__always)
  private func appendPrefix(_ key: ByteBuffer) { prefix.withUnsafeBytes { key.append($0) } }

  /// What the caller has to send, for the answer to a request that could not be identified.
  var help: String {
    switch kind {
    case .headerToken(let header): "\(header) must name the service"
    case .header(let header): "\(header) must hold a path such as /web"
    case .methodAndHost: "a Host header is needed"
    case .path(let segments, _): "the URI needs at least \(segments) path segment\(segments == 1 ? "" : "s")"
    case .clientCertificate: "the caller must show a certificate that names it (TLS with `clientAuth`)"
    case .static: "static names every request"
    }
  }
}

extension ByteBuffer {
  /// A slash and the label in printed form: as it is if all its bytes are label bytes, else each byte as \xhh.
  @inline(__always)
  func appendLabel(_ label: UnsafeRawBufferPointer) {
    append(UInt8(ascii: "/"))
    if Label.isValidRaw(label.assumingMemoryBound(to: UInt8.self)) {
      append(label)
    } else {
      appendEscaped(label)
    }
  }

  @inline(never)
  private func appendEscaped(_ label: UnsafeRawBufferPointer) {
    for byte in label {
      append("\\x")
      append(Ascii.hexDigit(byte >> 4))
      append(Ascii.hexDigit(byte & 15))
    }
  }
}
