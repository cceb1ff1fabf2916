import HTTP
import MeshBase

/// A configured field name, prepared for finding its value in parsed heads in any letter case.
struct HeaderName {
  /// In lower case.
  private let lowercased: [UInt8]
  let known: KnownHeader

  /// `:authority` is HTTP/2's name for Host.
  init(_ name: String) {
    let name = name == ":authority" ? "Host" : name
    let lowercased = name.utf8.map(Ascii.lowercased)
    self.lowercased = lowercased
    known =
      KnownHeader.allCases.first { known in
        !lowercased.isEmpty
          && UnsafeRawBufferPointer(start: known.name.utf8Start, count: known.name.utf8CodeUnitCount)
            .elementsEqual(lowercased) { Ascii.lowercased($0) == $1 }
      } ?? .other
  }

  /// The value of the last field with this name, as in linkerd; for Host the one that counts (RFC 9112 §3.3).
  func value(_ request: inout RequestHead, _ head: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    if known == .host { return request.host.map { head[$0] } }
    if known != .other {
      return request.fields.last { $0.id == known }.map { head[$0.value] }
    }
    let field = request.fields.last { field in
      let name = head[field.name]
      return name.count == lowercased.count && zip(name, lowercased).allSatisfy { Ascii.lowercased($0) == $1 }
    }
    return field.map { head[$0.value] }
  }
}
