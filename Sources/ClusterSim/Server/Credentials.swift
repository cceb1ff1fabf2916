import MeshBase
import Net

/// What a fake scheduler asks its clients for. Confined to the control thread.
@ControlActor
public final class Credentials {
  public enum Kind: Sendable {
    case none
    case basic(user: String, password: String)
    /// DC/OS service accounts: `POST /acs/api/v1/auth/login` with a signed token gives a session token.
    case serviceAccount(uid: String)
  }

  public static let loginPath = "/acs/api/v1/auth/login"

  public var kind: Kind
  /// Decides on a service account's token (a JWT, RS256); by default one of the right form for the right user passes.
  public var verify: (@ControlActor @Sendable (_ uid: String, _ token: String) -> Bool)?
  /// How often someone has logged in, successfully or not.
  public private(set) var logins = 0
  private var session = 0
  private var isValid = false

  public init(_ kind: Kind = .none) { self.kind = kind }

  /// Session tokens that were given so far stop to work.
  public func expireTokens() { isValid = false }

  private var token: String { "session-\(session)" }

  func permits(_ request: ControlRequest) -> Bool {
    let given = request.headers["Authorization"]
    switch kind {
    case .none: return true
    case .basic(let user, let password): return given == "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
    case .serviceAccount: return isValid && given == "token=\(token)"
    }
  }

  func login(_ request: ControlRequest) -> ControlResponse {
    logins += 1
    guard case .serviceAccount(let wanted) = kind, let node = try? JSONNode(parsing: request.body),
      let uid = node["uid"]?.text, let jwt = node["token"]?.text, uid == wanted,
      verify?(uid, jwt) ?? Self.isTokenOf(uid, jwt)
    else { return Self.json(401, #"{"title":"Unauthorized","description":"Invalid credentials","code":"ERR"}"#) }
    if !isValid {
      session += 1
      isValid = true
    }
    return Self.json(200, #"{"token":"\#(token)"}"#)
  }

  private static func isTokenOf(_ uid: String, _ jwt: String) -> Bool {
    let parts = jwt.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[2].isEmpty, let head = Base64.decode(parts[0]), let claims = Base64.decode(parts[1])
    else { return false }
    return (try? JSONNode(parsing: head))?["alg"]?.text == "RS256"
      && (try? JSONNode(parsing: claims))?["uid"]?.text == uid
  }

  static var refusal: ControlResponse {
    var response = json(401, #"{"message":"Invalid username or password."}"#)
    response.headers.add("WWW-Authenticate", "Basic realm=\"Marathon: Username and password required\"")
    return response
  }

  private static func json(_ status: Int, _ text: String) -> ControlResponse {
    ControlResponse(status: status, contentType: "application/json", Array(text.utf8))
  }
}
