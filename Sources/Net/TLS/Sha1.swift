import COpenSSL

/// For names that others make of it; it is no longer safe for anything that must not be forged.
public enum Sha1 {
  public static func digest(_ bytes: [UInt8]) -> [UInt8] {
    _ = OpenSSLMemory.hasSlots
    var digest = [UInt8](repeating: 0, count: 20)
    EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha1(), nil)
    return digest
  }
}
