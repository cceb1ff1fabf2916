import Net

/// An answer of a cluster manager whose body is read as it comes, decompressed. Leaving off closes the connection.
@ControlActor
public final class ClusterStream {
  public nonisolated let status: Int
  public nonisolated let headers: ControlHeaders
  /// Who answers, after redirects.
  public nonisolated let host: ClusterHost
  private let place: String
  private let stream: ControlHTTPStream
  private let bytesMax: Int
  private let inflater: Inflater?
  /// Of the body as it came so far, compressed or not.
  public private(set) var receivedBytes = 0
  private var deliveredBytes = 0
  /// No bound: for a stream that never ends.
  public var isEndless = false

  init(_ stream: ControlHTTPStream, host: ClusterHost, place: String, bytesMax: Int) {
    self.stream = stream
    self.host = host
    self.place = place
    self.bytesMax = bytesMax
    status = stream.status
    headers = stream.headers
    let encoding = stream.headers["Content-Encoding"]?.lowercased()
    inflater = encoding == "gzip" || encoding == "x-gzip" ? Inflater(outputBytesMax: .max) : nil
  }

  /// How long `next` waits for the server; `nil` for ever. A stream that says something now and then is alive: set it to
  /// a few times as long as that.
  public var pieceMilliseconds: UInt64? {
    get { stream.pieceMilliseconds }
    set { stream.pieceMilliseconds = newValue }
  }

  /// The next piece of the body, never empty; `nil` at its end.
  public func next() async throws(ClusterError) -> [UInt8]? {
    while true {
      if let piece = try inflated() { return try deliver(piece) }
      let piece: [UInt8]?
      do throws(ControlHTTPError) {
        piece = try await stream.next()
      } catch {
        throw ClusterError(error, place)
      }
      guard let piece else {
        if let inflater, !inflater.isAtEnd, receivedBytes > 0 {
          throw ClusterError(.malformed, "\(place): the gzip-encoded body is cut off")
        }
        return nil
      }
      receivedBytes += piece.count
      guard let inflater else { return try deliver(piece) }
      inflater.push(piece)
    }
  }

  /// The answer with all of its body.
  func whole() async throws(ClusterError) -> ClusterResponse {
    var body: [UInt8] = []
    while let piece = try await next() { body += piece }
    return ClusterResponse(status: status, headers: headers, body: body, host: host, receivedBytes: receivedBytes)
  }

  /// Leaves off: the status is not one that was hoped for.
  func refusal(of request: ClusterRequest) -> ClusterError {
    close()
    return ClusterError(
      .status(status), "\(request.method) \(host)\(request.path): \(status): \(ClusterError.remedy(status))")
  }

  private func inflated() throws(ClusterError) -> [UInt8]? {
    do throws(InflateError) {
      return try inflater?.next()
    } catch {
      close()
      throw ClusterError(.malformed, "\(place): \(error)")
    }
  }

  private func deliver(_ piece: [UInt8]) throws(ClusterError) -> [UInt8] {
    if isEndless { return piece }
    deliveredBytes += piece.count
    if deliveredBytes > bytesMax {
      close()
      throw ClusterError(.tooLarge, "\(place): the answer is larger than \(bytesMax) bytes")
    }
    return piece
  }

  /// Leaves off; wakes a `next` that waits.
  public func close() { stream.close() }
}
