import HTTP
import Net

/// What `--version`, the admin server and reports say about this build.
public enum ProductVersion {
  public static let number = "0.1.0"

  public static var openSSL: String { TLSLibrary.version }

  public static var nghttp2: String { HTTP2Library.version }

  /// The text of `--version`.
  public static var description: String {
    """
    meshrouter \(number)
    \(openSSL), nghttp2 \(nghttp2) (of this system)
    """
  }
}
