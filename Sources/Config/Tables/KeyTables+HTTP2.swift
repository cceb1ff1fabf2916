import MeshBase

/// A server or a client: what has the keys of an HTTP/2 connection among its own, as linkerd has them.
protocol HTTP2Keyed: Sendable {
  var http2: Configuration.HTTP2 { get set }
}

extension Configuration.Server: HTTP2Keyed {}
extension Configuration.Client: HTTP2Keyed {}

extension KeyTables {
  /// - Parameter limits: what peers on that side can overdo.
  static func http2<Root: HTTP2Keyed>(_ limits: ObjectTable<HTTP2Limits>) -> [Key<Root>] {
    [
      Key(
        "initialStreamWindowBytes", \Root.http2.initialStreamWindowBytes, .integer(65_535...16_777_216), unit: "B",
        "HTTP/2: body bytes a peer may send on a stream ahead of who takes them; grows with bandwidth and delay."),
      Key(
        "maxFrameBytes", \Root.http2.maxFrameBytes, .integer(16_384...16_777_215), unit: "B",
        "HTTP/2: payload of one frame that a peer may send."),
      Key(
        "headerTableBytes", \Root.http2.headerTableBytes, .integer(0...1_048_576), unit: "B",
        "HTTP/2: the table with which a peer compresses header lines; per connection."),
      Key(
        "maxHeaderListBytes", \Root.http2.maxHeaderListBytes, .integer(1_024...1_048_576), unit: "B",
        "HTTP/2: all header lines of a message, and 32 more for each; beyond: 431."),
      Key(
        "initialConnectionWindowBytes", \Root.http2.initialConnectionWindowBytes, .integer(65_535...1_073_741_824),
        unit: "B", origin: .ours,
        "HTTP/2: body bytes a peer may send on a new connection, all its streams together, ahead of who takes them."),
      Key(
        "maxStreamWindowBytes", \Root.http2.maxStreamWindowBytes, .integer(65_535...1_073_741_824), unit: "B",
        origin: .ours, "HTTP/2: up to this the window of a stream grows while its bytes are taken as they come."),
      Key(
        "maxReceiveBufferBytes", \Root.http2.maxReceiveBufferBytes, .integer(65_535...1_073_741_824), unit: "B",
        origin: .ours,
        "HTTP/2: body bytes that wait on one connection, all its streams together, before its peer gets no more credit."
      ),
      Key(
        "http2Limits", \Root.http2.limits, limits.codec, origin: .ours,
        "HTTP/2: what a connection may cost; one that goes beyond ends with ENHANCE_YOUR_CALM."),
      .ignored(
        "windowUpdateRatio", .number(0...1), say: .hint,
        "HTTP/2 credit goes back when half of a window is used up, and windows grow by themselves."),
    ]
  }

  /// A window cannot begin above what it may grow to.
  static func checkHTTP2<Root: HTTP2Keyed>(_ root: Root, _ trail: KeyTrail, _ decoding: inout Decoding) {
    let (initial, most) = (root.http2.initialStreamWindowBytes, root.http2.maxStreamWindowBytes)
    if most < initial {
      decoding.report(
        .error, .conflict, at: trail.key("maxStreamWindowBytes").canonical,
        "\(most) is less than initialStreamWindowBytes (\(initial))")
    }
  }

  /// Of callers' connections.
  static let serverLimits = ObjectTable<HTTP2Limits>(
    { HTTP2Limits() },
    [
      rate(
        "maxResetsPerSecond", \.rapidResets,
        "Streams that the caller resets before the response has begun, one that was open for less than 5 ms counting "
          + "five times; each stream that ends well makes up for one."),
      rate("maxRefusedStreamsPerSecond", \.refusedStreams, "Streams beyond `maxConcurrentStreamsPerConnection`."),
      rate("maxOversizeHeadersPerSecond", \.oversizeHeads, "Requests answered with 431."),
      Key(
        "maxHeldHeaderBytes", \.heldHeadBytesMax, .integer(65_536...1_073_741_824), unit: "B", origin: .ours,
        "Heads of requests in progress on one connection; beyond: REFUSED_STREAM."),
    ] + commonLimits)

  /// Of endpoints' connections.
  static let clientLimits = ObjectTable<HTTP2Limits>({ HTTP2Limits() }, commonLimits)

  private static var commonLimits: [Key<HTTP2Limits>] {
    [
      rate("maxProvokedResetsPerSecond", \.provokedResets, "Streams reset because the peer broke the rules."),
      rate("maxSettingsPerSecond", \.settings, "SETTINGS frames."),
      rate("maxPingsPerSecond", \.pings, "PING frames; each DATA frame makes up for one."),
      rate("maxPrioritiesPerSecond", \.priorities, "PRIORITY frames; each request makes up for two."),
      rate(
        "maxWindowUpdatesPerSecond", \.windowUpdates, "WINDOW_UPDATE frames; each DATA frame sent makes up for four."),
      rate("maxEmptyFramesPerSecond", \.emptyFrames, "DATA frames and pieces of headers without a byte."),
      rate("maxUnknownFramesPerSecond", \.unknownFrames, "Frames of unknown types."),
      rate(
        "maxPaddingBytesPerSecond", \.paddingBytes, unit: "B/s", "Padding; each byte of a body makes up for one."),
      Key(
        "maxContinuations", \.continuationsMax, .integer(1...10_000), origin: .ours,
        "CONTINUATION frames of one header."),
    ]
  }

  private static func rate(
    _ name: String, _ path: any WritableKeyPath<HTTP2Limits, HTTP2Rate> & Sendable, unit: String = "/s",
    _ meaning: String
  ) -> Key<HTTP2Limits> {
    let fresh = HTTP2Limits()[keyPath: path]
    let times = fresh.burst / fresh.perSecond
    return Key(
      name, path,
      Codec<Int>.integer(1...1_000_000).converted(
        { HTTP2Rate(burst: $0 * times, perSecond: $0) }, { $0.perSecond }),
      unit: unit, origin: .ours, "\(meaning) At once: \(times) times as many.")
  }
}
