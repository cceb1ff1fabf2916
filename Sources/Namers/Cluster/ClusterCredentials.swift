import MeshBase
import Net

/// How a client of a cluster manager says who it is.
public enum ClusterCredentials: Sendable {
  case none
  case basic(user: String, password: String)
  /// `Authorization: Bearer`.
  case bearer(String)
  /// As `bearer`, with a token from a file that is read again when it changes.
  case bearerFile(String)
  /// DC/OS: `Authorization: token=`, got by a login. From a file that is read again when it changes, where there is one.
  case serviceAccount(ServiceAccount, file: String? = nil)
}

/// A DC/OS service account: logs in with a token signed by its private key and gets another one to show.
public struct ServiceAccount: Sendable, Equatable {
  public var uid: String
  /// PEM text of an RSA key.
  public var privateKey: String
  /// An absolute URL.
  public var loginEndpoint: String

  public init(uid: String, privateKey: String, loginEndpoint: String) {
    self.uid = uid
    self.privateKey = privateKey
    self.loginEndpoint = loginEndpoint
  }

  /// Reads such JSON from a file.
  public init(file: String) throws {
    try self.init(json: try FileSystem.read(file, limit: 1 << 20))
  }

  /// Reads the JSON that DC/OS gives out: `{"uid":…,"private_key":…,"login_endpoint":…,"scheme":"RS256"}`.
  public init(json: [UInt8]) throws(ClusterError) {
    var (uid, key, endpoint, scheme): (String?, String?, String?, String?) = (nil, nil, nil, nil)
    do throws(JSONError) {
      var reader = JSONReader(json.span)
      if try reader.beginObject() {
        while try reader.nextKey() {
          if reader.isKey("uid") {
            uid = try reader.string()
          } else if reader.isKey("private_key") {
            key = try reader.string()
          } else if reader.isKey("login_endpoint") {
            endpoint = try reader.string()
          } else if reader.isKey("scheme") {
            scheme = try reader.string()
          }
        }
      }
      try reader.end()
    } catch {
      throw ClusterError(.refused, "service account: \(error)")
    }
    if let scheme, scheme != "RS256" {
      throw ClusterError(.refused, "service account: the scheme is \(scheme): only RS256 is known")
    }
    guard let uid, let key, let endpoint else {
      throw ClusterError(.refused, "service account: uid, private_key and login_endpoint are all needed")
    }
    self.init(uid: uid, privateKey: key, loginEndpoint: endpoint)
  }

  /// The signed token to log in with, good for five minutes.
  func loginToken(nowSeconds: UInt64) throws(TLSLoadError) -> String {
    var claims = JSONText()
    claims.object {
      $0.member("uid", uid)
      $0.member("exp", nowSeconds + 300)
    }
    let signed =
      Base64.encode(Array(#"{"alg":"RS256","typ":"JWT"}"#.utf8), isURLSafe: true) + "."
      + Base64.encode(Array(claims.text.utf8), isURLSafe: true)
    let signature = try RS256.sign(Array(signed.utf8), keyPEM: privateKey)
    return signed + "." + Base64.encode(signature, isURLSafe: true)
  }
}
