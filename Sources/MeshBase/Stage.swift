/// The ten stages of a request's journey, in order; the same words in code, failures, traces and metrics.
public enum Stage: String, CaseIterable, Sendable {
  case accept, tls, decode, identify, bind, pick, connect, relay, outcome, record
}
