import MeshBase

/// The grammar of namespace names: 1 to 64 letters, digits, `-` or `_`.
///
/// A name is also a file's name and a part of URLs, so nothing in it may mean anything there.
public enum DtabNamespace {
  public static let bytesMax = 64

  public static func isValid(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= bytesMax
      && name.utf8.allSatisfy {
        Ascii.isDigit($0) || Ascii.lowercased($0) &- 0x61 < 26 || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
      }
  }

  static func check(_ name: String) throws(DtabStoreError) {
    if !isValid(name) { throw .badName(name) }
  }
}
