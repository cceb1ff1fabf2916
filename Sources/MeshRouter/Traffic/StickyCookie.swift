import Balancers
import Config
import HTTP
import MeshBase
import Net

/// The cookie that keeps a caller with one endpoint of a bound name. Confined to one worker.
///
/// Its value stands for the endpoint's address and is the same on every worker and router, so that whichever of them a
/// caller comes to knows it, also after a restart. It is a hash, so that nobody reads addresses in it.
final class StickyCookie {
  private let name: [UInt8]
  /// What follows the value in Set-Cookie, with the line's end.
  private let attributes: [UInt8]
  private let secret: [UInt8]
  private var addresses: [UInt64: SocketAddress] = [:]
  private var ids: [SocketAddress: UInt64] = [:]

  init?(_ configuration: Configuration.StickyCookie?) {
    guard let configuration, configuration.isEnabled else { return nil }
    name = Array(configuration.name.utf8)
    secret = Array((configuration.secret ?? "").utf8)
    var text = "; Path=/"
    if let seconds = configuration.maxAgeSeconds { text += "; Max-Age=\(seconds)" }
    if configuration.isSecure { text += "; Secure" }
    if configuration.isHTTPOnly { text += "; HttpOnly" }
    if let site = configuration.sameSite { text += "; SameSite=\(site.rawValue)" }
    attributes = Array((text + "\r\n").utf8)
  }

  // MARK: Endpoints

  /// These are the endpoints from now on.
  func update(_ endpoints: [Endpoint]) {
    let known = ids
    ids = [:]
    addresses = [:]
    for endpoint in endpoints {
      let id = known[endpoint.address] ?? Self.id(of: endpoint.address, secret: secret)
      ids[endpoint.address] = id
      addresses[id] = endpoint.address
    }
  }

  static func id(of address: SocketAddress, secret: [UInt8]) -> UInt64 {
    let digest = Sha256.digest(secret + [0] + Array(address.description.utf8))
    return digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The endpoint for which the value stands; `nil`: it is not there any more.
  func address(of id: UInt64) -> SocketAddress? { addresses[id] }

  // MARK: Requests

  /// What the caller's cookie says; `nil`: it has none, or one that is not ours.
  func read(_ head: UnsafeRawBufferPointer) -> UInt64? {
    var id: UInt64?
    HeadText.forEachLine(head) { line, count in
      guard id == nil, HeadText.isNamed(line, count, Self.cookie) else { return }
      id = CookiePairs.value(of: name, in: HeadText.value(of: line, count)).flatMap(Self.number)
    }
    return id
  }

  /// The same; then the cookie is taken out, whatever it says, since endpoints do not see it.
  func take(from head: ByteBuffer, room: ByteBuffer) -> UInt64? {
    var isThere = false
    HeadText.forEachLine(head.readable) { line, count in if has(line, count) { isThere = true } }
    guard isThere else { return nil }
    let id = read(head.readable)
    HeadText.rewrite(head, from: 0, room: room) { line, count, out in
      guard has(line, count) else { return out.append(line) }
      var isFirst = true
      CookiePairs.forEach(in: HeadText.value(of: line, count)) { pair in
        if CookiePairs.isNamed(pair, name) { return }
        out.append(isFirst ? "Cookie: " : "; " as StaticString)
        out.append(pair)
        isFirst = false
      }
      if !isFirst { out.append("\r\n") }
    }
    return id
  }

  /// Whether the line holds the cookie.
  private func has(_ line: UnsafeRawBufferPointer, _ count: Int) -> Bool {
    HeadText.isNamed(line, count, Self.cookie)
      && CookiePairs.value(of: name, in: HeadText.value(of: line, count)) != nil
  }

  /// Sixteen hexadecimal digits.
  private static func number(_ text: UnsafeRawBufferPointer) -> UInt64? {
    guard text.count == 16 else { return nil }
    var number: UInt64 = 0
    for byte in text {
      switch byte {
      case 0x30...0x39: number = number << 4 | UInt64(byte - 0x30)
      case 0x61...0x66: number = number << 4 | UInt64(byte - 0x57)
      default: return nil
      }
    }
    return number
  }

  private static let cookie = Array("cookie".utf8)
  private static let setCookie = Array("set-cookie".utf8)

  // MARK: Responses

  /// Of an endpoint at `address` to a caller whose cookie says `claim`.
  func mark(_ response: ByteBuffer, from start: Int, room: ByteBuffer, address: SocketAddress, claim: UInt64?) {
    var endpointSets = false
    let head = UnsafeRawBufferPointer(rebasing: response.readable[start...])
    HeadText.forEachLine(head) { line, count in if sets(line, count) { endpointSets = true } }
    if endpointSets {
      // The name is the router's here.
      HeadText.rewrite(response, from: start, room: room) { line, count, out in
        if !sets(line, count) { out.append(line) }
      }
    }
    let id = ids[address] ?? Self.id(of: address, secret: secret)
    if id == claim { return }
    response.append("Set-Cookie: ")
    name.withUnsafeBytes { response.append($0) }
    response.append("=")
    for shift in stride(from: 60, through: 0, by: -4) {
      response.append(Ascii.hexDigit(UInt8(truncatingIfNeeded: id >> UInt64(shift)) & 15))
    }
    attributes.withUnsafeBytes { response.append($0) }
    // A cache would give the cookie to others.
    response.append("Cache-Control: private\r\n")
  }

  private func sets(_ line: UnsafeRawBufferPointer, _ count: Int) -> Bool {
    HeadText.isNamed(line, count, Self.setCookie) && CookiePairs.isNamed(HeadText.value(of: line, count), name)
  }
}
