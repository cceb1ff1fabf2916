import CNghttp2
import COpenSSL

/// What `--version`, the admin server and reports say about this build.
public enum ProductVersion {
  public static let number = "0.1.0"

  /// Of the libraries as they were loaded, which may be newer than those the build saw.
  public static var openSSL: String { String(cString: OpenSSL_version(OPENSSL_VERSION)) }

  public static var nghttp2: String { String(cString: nghttp2_version(0).pointee.version_str) }

  /// The text of `--version`.
  public static var description: String {
    """
    meshrouter \(number)
    \(openSSL), nghttp2 \(nghttp2) (of this system)
    """
  }
}
