import HTTP

/// The HTTP/1 codec: heads in, heads out.
enum HTTPBenchmarks {
  static func request(host: String) -> [UInt8] {
    Array(
      """
      GET /items/42?view=full HTTP/1.1\r
      Host: \(host)\r
      User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r
      Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r
      Accept-Language: en-GB,en;q=0.5\r
      Accept-Encoding: gzip, deflate, br\r
      Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r
      X-Request-Id: 6f1a2b3c4d5e\r
      \r

      """.utf8)
  }

  static let response = Array(
    """
    HTTP/1.1 200 OK\r
    Server: backend\r
    Date: Mon, 02 Jun 2025 10:00:00 GMT\r
    Content-Type: application/json\r
    Content-Length: 128\r
    Cache-Control: no-cache\r
    ETag: "abc123"\r
    \r

    """.utf8)

  static func run() -> [Figure] {
    let limits = H1Limits()
    let request = request(host: "service.example.org")
    var requestHead = RequestHead()
    var responseHead = ResponseHead()
    let out = ByteBuffer(minimumCapacity: 4_096)
    return request.withUnsafeBytes { request in
      response.withUnsafeBytes { response in
        let parsed = requestHead.parse(request, limits: limits) == .complete
        let answered = responseHead.parse(response, requestMethod: .get, limits: limits) == .complete
        precondition(parsed && answered, "the benchmark's messages do not parse")
        return [
          measure("http1.request.parse") { keep(requestHead.parse(request, limits: limits)) },
          measure("http1.response.parse") { keep(responseHead.parse(response, requestMethod: .get, limits: limits)) },
          measure("http1.request.serialise") {
            out.removeAll()
            out.append(request[requestHead.methodRange])
            out.append(" ")
            requestHead.appendOriginForm(request, to: out)
            out.append(" HTTP/1.1\r\n")
            requestHead.appendForwardable(request, skipping: [], to: out)
            out.append("Via: 1.1 meshrouter\r\n\r\n")
          },
          measure("http1.response.serialise") {
            out.removeAll()
            out.appendStatusLine(200)
            responseHead.appendForwardable(response, skipping: [], to: out)
            out.append("Via: 1.1 meshrouter\r\n\r\n")
          },
        ]
      }
    }
  }
}
