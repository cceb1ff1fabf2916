import HTTP
import MeshBase
import Net

// What a request's connection, and the routers it came through, tell of where it comes from.
extension Exchange {
  // MARK: The original protocol

  /// Between routers requests of HTTP/1 travel in streams of HTTP/2; this line tells the far one, so that an endpoint
  /// which is spoken to as the caller spoke (`client.protocol: auto`) gets HTTP/1.1 again.
  static let originalLine: StaticString = "l5d-orig-proto: HTTP/1.1\r\n"
  private static let originalHeader = HeaderName("l5d-orig-proto")

  /// Takes over what an earlier router says; the line itself goes on with the others.
  func readOriginal(_ request: inout RequestHead, _ head: UnsafeRawBufferPointer) {
    guard let value = Self.originalHeader.value(&request, head) else { return }
    namesOriginal = true
    callerSpokeHTTP1 = value.starts(with: "HTTP/1".utf8)
  }

  // MARK: Host and certificate

  /// Why a request does not belong on its TLS connection (RFC 9110 §15.5.20); `nil`: it does.
  ///
  /// A request that another proxy sends on names the service, and the connection that proxy: there, they may differ.
  func misdirection(_ head: UnsafeRawBufferPointer) -> String? {
    guard let tls = caller?.tls, !tls.serverName.isEmpty, method != .connect, worker.requestHead.viaCount == 0,
      let range = worker.requestHead.host
    else { return nil }
    let host = Self.withoutPort(head[range])
    if host.count == 0 || tls.covers(host: host) { return nil }
    if host.elementsEqual(tls.serverName.utf8, by: { Ascii.lowercased($0) == $1 }) { return nil }
    return "The connection asked for \(tls.serverName) by SNI, the request is for "
      + "\(String(decoding: host, as: UTF8.self)), and the certificate that was shown does not cover it."
  }

  /// `[::1]:443` is `::1`.
  private static func withoutPort(_ authority: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    if authority.first == UInt8(ascii: "["), let end = authority.firstIndex(of: UInt8(ascii: "]")) {
      return UnsafeRawBufferPointer(rebasing: authority[1..<end])
    }
    guard let colon = authority.lastIndex(of: UInt8(ascii: ":")) else { return authority }
    return UnsafeRawBufferPointer(rebasing: authority[..<colon])
  }
}
