import MeshBase
import Net

/// Gives the `Authorization` field to a client's requests; logs in where that is needed, once for all who wait.
@ControlActor
final class ClusterAuthorizer {
  /// Makes one request outside of any authorisation: the login.
  typealias Login =
    @ControlActor (_ endpoint: String, _ body: [UInt8]) async -> Result<ClusterResponse, ClusterError>

  private let credentials: ClusterCredentials
  private let login: Login
  private var token: String?
  /// As the file was when it was read last.
  private var fileStatus: FileSystem.Status?
  /// From the file, once it has changed.
  private var newerAccount: ServiceAccount?
  /// Why the file as it is now is not in use.
  private var fileProblem: String?
  private var flight: (account: ServiceAccount, task: Task<Result<String, ClusterError>, Never>)?
  /// Logins made, for tests and the state page.
  private(set) var logins = 0

  init(_ credentials: ClusterCredentials, login: @escaping Login) {
    self.credentials = credentials
    self.login = login
  }

  /// The field's value; `nil`: none is needed.
  func header() async throws(ClusterError) -> String? {
    switch credentials {
    case .none: return nil
    case .basic(let user, let password): return "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
    case .bearer(let token): return "Bearer " + token
    case .bearerFile(let path):
      try readToken(path)
      return token.map { "Bearer " + $0 }
    case .serviceAccount(let first, let file):
      if let file { readAccount(file, first) }
      let account = newerAccount ?? first
      if let token { return "token=" + token }
      return "token=" + (try await renewed(account))
    }
  }

  /// The server has refused this value: whether there is a newer one to try.
  func renew(after refused: String?) async throws(ClusterError) -> Bool {
    switch credentials {
    case .none, .basic, .bearer: return false
    case .bearerFile:
      fileStatus = nil
      return try await header() != refused
    case .serviceAccount:
      // Somebody else may have logged in meanwhile.
      if let token, "token=" + token == refused { self.token = nil }
      return try await header() != refused
    }
  }

  private func readToken(_ path: String) throws(ClusterError) {
    do throws(SystemError) {
      let status = try FileSystem.status(path)
      if let status, status == fileStatus { return }
      let bytes = try FileSystem.read(path, limit: 1 << 20)
      let blanks: Set<UInt8> = [0x20, 0x09, 0x0a, 0x0d]
      let trimmed = bytes.drop { blanks.contains($0) }.reversed().drop { blanks.contains($0) }.reversed()
      token = String(decoding: Array(trimmed), as: UTF8.self)
      fileStatus = status
    } catch {
      // A file that is being replaced is there again soon: the token that is known may still be good.
      if token == nil { throw ClusterError(.refused, "the token's file cannot be read: \(error)") }
    }
  }

  /// Another account, or another key of it, logs in for itself. A file that cannot be used changes nothing.
  private func readAccount(_ path: String, _ first: ServiceAccount) {
    do {
      let status = try FileSystem.status(path)
      if let status, status == fileStatus { return }
      let read = try ServiceAccount(file: path)
      fileStatus = status
      fileProblem = nil
      guard read != newerAccount ?? first else { return }
      newerAccount = read
      token = nil
    } catch {
      fileProblem = "\(path): \(error)"
    }
  }

  private func renewed(_ account: ServiceAccount) async throws(ClusterError) -> String {
    if let flight, flight.account == account { return try await flight.task.value.get() }
    let task = Task { @ControlActor [weak self] () -> Result<String, ClusterError> in
      guard let self else { return .failure(ClusterError(.cancelled, "login: given up")) }
      let result = await self.logIn(account)
      // It may have taken longer than the account lasted.
      guard self.flight?.account == account else { return result }
      if case .success(let token) = result { self.token = token }
      self.flight = nil
      return result
    }
    flight = (account, task)
    return try await task.value.get()
  }

  private func logIn(_ account: ServiceAccount) async -> Result<String, ClusterError> {
    logins += 1
    do throws(TLSLoadError) {
      var body = JSONText()
      let signed = try account.loginToken(nowSeconds: Clock.wallNanoseconds / 1_000_000_000)
      body.object {
        $0.member("uid", account.uid)
        $0.member("token", signed)
      }
      switch await login(account.loginEndpoint, Array(body.text.utf8)) {
      case .failure(let error): return .failure(error)
      case .success(let response): return token(in: response, account)
      }
    } catch {
      return .failure(ClusterError(.refused, "service account \(account.uid): \(error)"))
    }
  }

  private func token(in response: ClusterResponse, _ account: ServiceAccount) -> Result<String, ClusterError> {
    let place = "login of \(account.uid) at \(account.loginEndpoint)"
    guard response.status == 200 else {
      return .failure(
        ClusterError(
          .refused,
          "\(place): \(response.status): is the account known there, with the public key of this private key?"
            + (fileProblem.map { " Its file has changed since, and cannot be used: \($0)" } ?? "")))
    }
    var token: String?
    var reader = JSONReader(response.body.span)
    do throws(JSONError) {
      if try reader.beginObject() {
        while try reader.nextKey() { if reader.isKey("token") { token = try reader.string() } }
      }
    } catch {
      return .failure(ClusterError(.refused, "\(place): \(error)"))
    }
    guard let token, !token.isEmpty else {
      return .failure(ClusterError(.refused, "\(place): the answer has no token"))
    }
    return .success(token)
  }
}
