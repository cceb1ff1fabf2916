import MeshBase
import Net
import Telemetry

extension AdminServer {
  /// Metrics in the three forms of `Telemetry`.
  var metricsRoutes: [AdminRoute] {
    let json: AdminRoute.Handler = { [unowned self] call in try metricsJSON(call) }
    return [
      AdminRoute("/admin/metrics", "metrics as JSON, linkerd's names; ?tree ?q=a/b ?pretty", .diagnostics, json),
      AdminRoute("/admin/metrics.json", "the same", .diagnostics, json),
      AdminRoute(
        "/admin/metrics/prometheus", "metrics for Prometheus; ?names=linkerd ?service=/svc/web ?family=PREFIX ?exact",
        .diagnostics
      ) { [unowned self] call in
        try metricsPrometheus(call)
      },
    ]
  }

  private func metricsJSON(_ call: AdminCall) throws -> ControlResponse {
    let options = JsonOptions(tree: call.query.isOn("tree"), q: call.query["q"], pretty: call.query.isOn("pretty"))
    guard let page = source.metrics.jsonPage(options, at: Clock.now) else {
      throw AdminFailure(404, "no metric is under \(options.q ?? ""): /admin/metrics.json?pretty lists them all")
    }
    return Self.stream(page)
  }

  private func metricsPrometheus(_ call: AdminCall) throws -> ControlResponse {
    switch call.query["names"] {
    case nil, "meshrouter":
      let options = PrometheusOptions(
        service: call.query["service"], family: call.query["family"], exactStatus: call.query.isOn("exact"))
      return Self.stream(source.metrics.prometheusPage(options))
    case "linkerd": return Self.stream(source.metrics.linkerdPage(at: Clock.now))
    case let names?: throw AdminFailure(400, "there are no names \"\(names)\": use names=linkerd, or leave it out")
    }
  }

  /// Holds the rest of a page while its pieces are sent.
  @ControlActor
  private final class Pages {
    private var page: MetricsPage
    private var isPatient = true

    init(_ page: MetricsPage) { self.page = page }

    /// Thousands of series take milliseconds, which are to be nobody's but an idle processor's.
    func next() async -> [UInt8] {
      guard isPatient, page.isNextShared else { return page.next() }
      let (patience, began) = (IdleThread.patienceMilliseconds, Clock.now)
      let written = await IdleThread.shared.run(patienceMilliseconds: patience) { [page] in
        var page = page
        let piece = page.next()
        return (rest: page, piece: piece)
      }
      if Clock.now.nanoseconds(since: began) > patience * 1_000_000 { isPatient = false }
      guard let written else { return page.next() }
      page = written.rest
      return written.piece
    }

    var isAtEnd: Bool { page.isAtEnd }
  }

  /// Piece by piece, so that whoever else is waiting comes in between.
  private static func stream(_ page: MetricsPage) -> ControlResponse {
    let pages = Pages(page)
    return ControlResponse(
      headers: ControlHeaders(["Content-Type": page.contentType]),
      body: .stream { writer in
        while !pages.isAtEnd {
          let piece = await pages.next()
          if !piece.isEmpty { try await writer.write(piece, isUrgent: false) }
        }
      })
  }
}
