import COpenSSL

public enum TLSLibrary {
  /// Of OpenSSL as it was loaded, which may be newer than the one the build saw.
  public static var version: String { String(cString: OpenSSL_version(OPENSSL_VERSION)) }
}
