import COpenSSL

/// The thread's queue of OpenSSL errors.
enum OpenSSLErrors {
  /// The oldest one, which tells the cause; empties the queue. 0: there is none.
  static func take() -> UInt {
    let code = ERR_get_error()
    ERR_clear_error()
    return code
  }

  /// "unsupported protocol", OpenSSL's own words.
  static func text(_ code: UInt) -> String {
    if let reason = ERR_reason_error_string(code) { return String(cString: reason) }
    return "OpenSSL error \(String(code, radix: 16))"
  }
}
