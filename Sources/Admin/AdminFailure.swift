import Net

/// A request that is not served: the status, and a text that says what to do instead.
struct AdminFailure: Error {
  var status: Int
  var message: String
  var headers = ControlHeaders()

  init(_ status: Int, _ message: String, _ headers: KeyValuePairs<String, String> = [:]) {
    self.status = status
    self.message = message
    self.headers = ControlHeaders(headers)
  }

  init(_ refusal: DtabRefusal) {
    self.init(refusal.status, refusal.message)
    if refusal.status == 503 { headers.add("Retry-After", "1") }
  }

  var response: ControlResponse {
    var response = ControlResponse.text(status: status, message)
    for field in headers.fields { response.headers.add(field.name, field.value) }
    return response
  }
}
