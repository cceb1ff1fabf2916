/// Counts of HTTP statuses: a word for each common code, one for the rest of each class, one for none at all.
///
/// The classes of the reports are sums, so an answer costs one addition.
@usableFromInline
enum StatusWords {
  /// Codes with a word of their own, ascending.
  static let exact: [Int] = [
    100, 101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 412,
    413, 414, 415, 422, 429, 431, 499, 500, 501, 502, 503, 504,
  ]
  @inlinable static var exactCount: Int { 35 }
  /// Words `restBase + 0…4`: other codes of 1xx…5xx.
  @inlinable static var restBase: Int { exactCount }
  /// No status, or one outside 100…599.
  @inlinable static var none: Int { exactCount + 5 }
  @inlinable static var count: Int { exactCount + 6 }

  @inlinable static func word(of status: Int) -> Int { status == 200 ? 2 : slowWord(of: status) }

  @usableFromInline static func slowWord(of status: Int) -> Int {
    switch status {
    case 100: 0
    case 101: 1
    case 200: 2
    case 201: 3
    case 202: 4
    case 204: 5
    case 206: 6
    case 301: 7
    case 302: 8
    case 303: 9
    case 304: 10
    case 307: 11
    case 308: 12
    case 400: 13
    case 401: 14
    case 403: 15
    case 404: 16
    case 405: 17
    case 406: 18
    case 408: 19
    case 409: 20
    case 410: 21
    case 412: 22
    case 413: 23
    case 414: 24
    case 415: 25
    case 422: 26
    case 429: 27
    case 431: 28
    case 499: 29
    case 500: 30
    case 501: 31
    case 502: 32
    case 503: 33
    case 504: 34
    case 100...599: restBase + status / 100 - 1
    default: none
    }
  }
}
