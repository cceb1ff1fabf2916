/// A server or a client: what has the keys of an HTTP/2 connection among its own, as linkerd has them.
protocol HTTP2Keyed: Sendable {
  var http2: Configuration.HTTP2 { get set }
}

extension Configuration.Server: HTTP2Keyed {}
extension Configuration.Client: HTTP2Keyed {}

extension KeyTables {
  static func http2<Root: HTTP2Keyed>() -> [Key<Root>] {
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
      .ignored(
        "windowUpdateRatio", .number(0...1), say: .hint,
        "HTTP/2 credit goes back when half of a window is used up, and windows grow by themselves."),
    ]
  }
}
