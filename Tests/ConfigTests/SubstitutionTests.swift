import Testing

@testable import Config

@Suite("values from the environment and from files")
struct SubstitutionTests {
  private let environment = ["PORT": "4150", "EMPTY": "", "NAME": "web", "ON": "true", "HALF": "0.5"]

  @Test(
    "what each form becomes",
    arguments: [
      ("${NAME}", "web"), ("a-${NAME}-${PORT}", "a-web-4150"), ("${EMPTY}", ""), ("${NONE:-dflt}", "dflt"),
      ("${EMPTY:-dflt}", "dflt"), ("${NAME:-dflt}", "web"), ("${NONE:-}", ""), ("${NAME:?gone}", "web"),
      ("${file:/s}", "secret"), ("$${NAME}", "${NAME}"), ("$$", "$$"), ("$", "$"), ("/$/inet/1/2", "/$/inet/1/2"),
      ("$NAME", "$NAME"), ("a$", "a$"), ("$$${NAME}", "$${NAME}"), ("é${NAME}é", "éwebé"), ("${NONE:-a:b c}", "a:b c"),
    ])
  func forms(written: String, expected: String) throws {
    let expanded = try Substitution.expand(
      written, environment: { environment[$0] }, readFile: { _ in "secret\r\n\n" }
    ).get()
    #expect(expanded.text == expected)
  }

  @Test(
    "what is refused, with its place",
    arguments: [
      ("${NONE}", "the environment variable NONE is not set", 0), ("a${", "\"${\" without \"}\"", 1),
      ("é${NONE:?set it}", "the environment variable NONE is not set or empty: set it", 1),
      ("${EMPTY:?}", "the environment variable EMPTY is not set or empty", 0),
      ("${}", "\"\" is not the name of an environment variable", 0),
      ("${1A}", "\"1A\" is not the name of an environment variable", 0),
      ("${file:}", "no path after \"${file:\"", 0), ("${file:/no}", "/no cannot be read: no such file", 0),
      ("${NAME:+x}", "unexpected \":+x\" after \"${NAME\"", 0), ("x ${NONE:-${NAME}}", "\"${…}\" within \"${…}\"", 2),
    ])
  func refusals(written: String, message: String, offset: Int) {
    let result = Substitution.expand(
      written, environment: { environment[$0] }, readFile: { _ in throw NoSuchFile() })
    guard case .failure(let problem) = result else {
      Issue.record("\(written) was accepted")
      return
    }
    #expect(problem.message == message)
    #expect(problem.offset == offset)
  }

  @Test("numbers and switches can come from outside, quoted or not")
  func types() throws {
    let loaded = load(
      router(
        """
        originator: ${ON}
        servers:
        - port: ${PORT}
        - {port: "${NONE:-4151}", clearContext: "${ON}"}
        client: {requeueBudget: {percentCanRetry: "${HALF}"}}
        accessLogFormat: ${FORMAT:-json}
        """), environment: environment)
    #expect(loaded.lines.isEmpty)
    let router = try #require(loaded.configuration?.routers[0])
    #expect(router.originator)
    #expect(router.servers.map(\.port) == [4_150, 4_151])
    #expect(router.client.requeueBudget.percentCanRetry == 0.5)
    #expect(router.accessLogFormat == .json)
  }

  @Test("problems name the place of the dollar sign and never the value")
  func problems() {
    let loaded = load(
      router("label: a-${NONE}\nservers: [{port: \"${SECRET}\"}]\ndtab: \"${SECRET}\"\nhttpAccessLog: '${X:-}'"),
      environment: ["SECRET": "hunter2"])
    #expect(
      loaded.lines == [
        "3:12 error routers[0].label: the environment variable NONE is not set. Set it, or write ${NONE:-default}.",
        "4:20 error routers[0].servers[0].port: expected an integer, found \"${SECRET}\"",
        "5:9 error routers[0].dtab: \"${SECRET}\" does not fit",
        "6:18 error routers[0].httpAccessLog: empty. Leave the key out, or give it a value.",
      ])
    #expect(!loaded.diagnostics.contains { $0.sentence.contains("hunter2") })
  }

  @Test("keys and kinds are never replaced")
  func keys() {
    let loaded = load(
      "${NAME}: 1\nrouters:\n- protocol: http\n  servers: [{}]\n  identifier: {kind: \"${KIND}\"}",
      environment: environment)
    #expect(loaded.lines.count == 2)
    #expect(loaded.lines[0] == "1:1 error ${NAME}: unknown key")
    #expect(loaded.lines[1].hasPrefix("5:22 error routers[0].identifier.kind: unknown kind \"${KIND}\""))
  }

  @Test("the echo shows where a secret comes from and not what it is")
  func masking() throws {
    let loaded = load(
      """
      admin: {token: "${file:/run/token}", port: "${file:/run/port}"}
      routers:
      - protocol: http
        label: ${NAME}-${NONE:-hidden default}
        identifier: {kind: io.l5d.header.token, header: "${file:/run/header}"}
        servers: [{port: "${PORT}"}]
      """.replacing("hidden default", with: "hidden"), environment: environment,
      files: ["/run/token": "t0ken\n", "/run/port": "9999\n", "/run/header": "x-key"])
    let configuration = try #require(loaded.configuration)
    #expect(configuration.admin.token == "t0ken")
    #expect(configuration.admin.port == 9_999)
    #expect(configuration.routers[0].label == "web-hidden")
    let echo = configuration.effectiveJSON
    for secret in ["t0ken", "9999", "x-key", "hidden", "\"web"] { #expect(!echo.contains(secret), "\(secret)") }
    #expect(echo.contains(#""token": "***""#))
    #expect(echo.contains(#""port": "${file:/run/port}""#))
    #expect(echo.contains(#""label": "${NAME}-${NONE}""#))
    #expect(echo.contains(#""header": "${file:/run/header}""#))
    // A number from the environment is no secret, and an operator wants to see it.
    #expect(echo.contains(#""port": 4150"#))
  }

  @Test("a token that does not fit is neither quoted nor shown with its line")
  func secretDiagnostics() {
    let text = "admin: {token: \"my secret\"}\nrouters: [{protocol: http, servers: [{}]}]"
    let loaded = load(text)
    #expect(loaded.diagnostics.count(of: .error) == 1)
    let shown = loaded.diagnostics.terminalText(name: "f", text: text) + loaded.diagnostics.jsonText(name: "f")
    #expect(!shown.contains("my secret"))
  }
}
