import MeshBase

/// One of the small services inside `meshrouter demo`: a name, and how its instances behave.
struct DemoService: Sendable {
  /// The file in the discovery directory, and so the last part of /svc/NAME.
  let name: String
  /// What an instance calls itself.
  let title: String
  let instances: Int
  /// An answer takes between the two.
  let delayMilliseconds: ClosedRange<Int>
  /// Of the answers, how many are 500.
  let failureShare: Double

  static let all = [
    DemoService(name: "web", title: "web-v1", instances: 2, delayMilliseconds: 0...0, failureShare: 0),
    DemoService(name: "web-v2", title: "web-v2", instances: 1, delayMilliseconds: 0...0, failureShare: 0),
    DemoService(name: "slow", title: "slow", instances: 1, delayMilliseconds: 30...60, failureShare: 0),
    DemoService(name: "flaky", title: "flaky", instances: 1, delayMilliseconds: 0...0, failureShare: 0.1),
  ]
}

/// A service's instance and where it listens.
struct DemoInstance: Sendable {
  let service: DemoService
  let address: SocketAddress
}
