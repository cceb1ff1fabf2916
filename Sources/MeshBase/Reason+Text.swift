extension Reason {
  /// The stage which names the failure: the word's first half.
  public var stageName: Substring { rawValue.prefix { $0 != "." } }

  /// Whose fault, in words for a sentence.
  public var faultDescription: String {
    switch fault {
    case .caller: "the caller's"
    case .router: "the router's"
    case .backend: "the backend's"
    case .cluster: "the cluster's (names, discovery)"
    }
  }

  /// Whether sending the request again makes sense.
  public enum Retry: String, Sendable {
    /// Whatever its method: it was never processed.
    case yes
    /// It was never processed, but not at once: `Retry-After` says when.
    case later
    /// It may have been processed.
    case ifIdempotent = "if idempotent"
    /// The same request would end the same way.
    case no
  }

  public var retry: Retry {
    if isShed { return .later }
    if neverProcessed { return .yes }
    if self == .faultInjected { return .no }
    return switch status {
    case 400, 421, 431, 499, 501: .no
    default: .ifIdempotent
    }
  }

  /// `retry`, in words for a sentence.
  public var retryDescription: String {
    switch retry {
    case .yes: "yes, whatever its method: it was never processed"
    case .later: "yes, whatever its method, but not before `Retry-After` has passed: there are too many requests"
    case .ifIdempotent: "only if its method is safe or idempotent: it may have been processed"
    case .no: "no: the same request would end the same way"
    }
  }

  /// The long form for a terminal: `meshrouter errors CODE`.
  public var explanation: String {
    var text = """
      \(rawValue)
        \(meaning)

        status       \(status)\(status == 499 ? " (in logs and metrics only: the caller has gone)" : "")
        whose fault  \(faultDescription)
        retry        \(retryDescription)

      What to do:

      """
    for remedy in remedies { text += "  - \(remedy)\n" }
    return text
  }

  /// The text of docs/errors.md: `meshrouter errors --markdown`.
  public static var markdown: String {
    var text = """
      # Reason words

      Each request that the router itself had to refuse or give up bears one word, `stage.cause`. It is the same in the
      answer's body, in the `l5d-err` header, in the access log and in the `reason` label of the metrics. Words are
      never renamed and never change their meaning; new ones may be added. `meshrouter errors CODE` prints a section of
      this page.

      "Retry" tells whether the request may be sent again. Where it surely was not processed, the answer says so with
      `l5d-retryable: true`, unless the router has tried several endpoints by itself, or there are too many requests:
      routers in line must not multiply their tries. "Later" means not before `Retry-After` has passed. Answers with status 499 exist in logs and metrics only: the caller has gone.

      This page is the output of `meshrouter errors --markdown`.

      | word | status | fault | retry |
      | --- | --- | --- | --- |

      """
    for reason in allCases {
      text += "| [`\(reason.rawValue)`](#\(reason.anchor)) | \(reason.status) | \(reason.fault.rawValue) |"
      text += " \(reason.retry.rawValue) |\n"
    }
    for reason in allCases {
      text += """

        ## `\(reason.rawValue)`

        \(reason.meaning)

        - Status: \(reason.status)
        - Whose fault: \(reason.faultDescription)
        - Retry: \(reason.retryDescription)

        What to do:


        """
      for remedy in reason.remedies { text += "- \(remedy)\n" }
    }
    return text
  }

  /// What a heading `` `bind.neg` `` gets as its anchor: the dot is dropped.
  private var anchor: String { rawValue.filter { $0 != "." } }
}
