import ArgumentParser
import MeshBase
import MeshRouter
import Net

struct WhyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "why",
    abstract: "Explain where one request would go, and why, by the code that routes.",
    discussion: """
      Asks the running router, or with --config a router that is not running. Nothing is sent to the endpoints. \
      Ends with 1 if the request cannot be routed.

      meshrouter why http://web/
      meshrouter why http://web/ --dtab '/svc/web => /#/io.l5d.fs/web-v2'
      meshrouter why http://web/ --config dtabs/http.yaml
      meshrouter why http://web/ --caller spiffe://mesh/ns/shop
      """)

  enum Output: String, CaseIterable, ExpressibleByArgument { case text, json }

  @Argument(help: "http://HOST/PATH, or just HOST; the router sees HOST as the Host header.")
  var url: String

  @Option(name: [.customShort("X"), .long], help: "The method.")
  var method = "GET"

  @Option(name: [.customShort("H"), .long], help: "A header, NAME: VALUE; may be given more than once.")
  var header: [String] = []

  @Option(help: "Entries that hold for this request alone, as a caller would send them in l5d-dtab.")
  var dtab: String?

  @Option(help: "The name in the caller's certificate, a URI or a DNS name; without it the caller shows none.")
  var caller: String?

  @Option(help: "The router's label; by default the first one.")
  var router: String?

  @Option(
    help: "Explain by this configuration instead of the running router. Its namers are asked.",
    completion: .file(extensions: ["yaml", "yml", "json"]))
  var config: String?

  @Option(name: .shortAndLong, help: "text or json.")
  var output = Output.text

  @OptionGroup var admin: AdminOptions

  @OptionGroup var color: ColorOption

  func run() throws {
    if let dtab { _ = try parsedDtab(dtab, "--dtab") }
    if config != nil { try explainOffline() } else { try explainLive() }
  }

  private func headers() throws(CommandFailure) -> [(name: String, value: String)] {
    var headers: [(name: String, value: String)] = []
    for line in header {
      guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else {
        throw CommandFailure(.usage, "\"\(line)\" is no header", "Write NAME: VALUE.")
      }
      headers.append((String(line[..<colon]), String(line[line.index(after: colon)...].drop { $0 == " " })))
    }
    return headers
  }

  private func explainOffline() throws {
    let configuration = try ConfigurationInput(path: config).usable(color: color.isUsed(on: .error))
    guard var request = WhyRequest(url: url, method: method, headers: try headers()) else {
      throw CommandFailure(.usage, "\"\(url)\" is no URL", "Write http://HOST/PATH.")
    }
    request.dtab = dtab
    request.router = router
    request.caller = caller
    let question = request
    guard let report = try ControlActor.runBlocking({ try await RouterProcess.why(question, offline: configuration) })
    else {
      let labels = configuration.routers.map(\.label)
      throw CommandFailure(
        .usage, "there is no router \(router ?? "")", "The configuration has \(labels.joined(separator: ", ")).")
    }
    Console.write(output == .json ? report.json : report.text)
    if !report.isRoutable { throw CommandFailure.problemShown }
  }

  private func explainLive() throws {
    var query = [("url", url), ("method", method)]
    for (name, value) in try headers() { query.append(("header", "\(name): \(value)")) }
    if let dtab { query.append(("dtab", dtab)) }
    if let router { query.append(("router", router)) }
    if let caller { query.append(("caller", caller)) }
    let path = "/api/2/why?" + query.map { "\($0.0)=\(ControlQuery.encode($0.1))" }.joined(separator: "&")
    let response = try admin.request(path, accept: output == .json ? "application/json" : "text/plain")
    Console.write(response.text.trimmedEnd + "\n")
    let isRoutable =
      switch output {
      case .json: JSONDocument(parsing: response.text)?["routable"] == .bool(true)
      case .text: response.text.contains("\nverdict    routable")
      }
    if !isRoutable { throw CommandFailure.problemShown }
  }
}
