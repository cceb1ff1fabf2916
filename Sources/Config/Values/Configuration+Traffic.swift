extension Configuration {
  /// Fields that heads lose or get on their way: `remove` first, then `set`, then `add`.
  public struct HeaderRules: Sendable, Equatable {
    /// Names, in any letter case.
    public var remove: [String] = []
    /// Put in place of all fields of the name.
    public var set: [HeaderLine] = []
    /// Put beside those that are there.
    public var add: [HeaderLine] = []

    public init() {}
  }

  public struct HeaderLine: Sendable, Equatable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// A cookie that the router gives callers, so that their next requests go to the same endpoint.
  public struct StickyCookie: Sendable, Equatable {
    public var isEnabled = true
    /// marathon-lb's, so that sessions outlive the change to this router's names.
    public var name = "mesosphere_server_id"
    /// Mixed into the values, so that they cannot be told from addresses. `nil`: they can.
    public var secret: String?
    /// `nil`: the cookie ends with the caller's session.
    public var maxAgeSeconds: Int?
    public var isSecure = false
    public var isHTTPOnly = true
    /// `nil`: not said.
    public var sameSite: SameSite?

    public init() {}

    public enum SameSite: String, Sendable, CaseIterable {
      case strict = "Strict"
      case lax = "Lax"
      /// Only together with `isSecure`.
      case none = "None"
    }
  }
}
