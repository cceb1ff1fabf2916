import COpenSSL

/// FIPS 180-4.
public enum Sha256 {
  public static func digest(_ bytes: [UInt8]) -> [UInt8] {
    _ = OpenSSLMemory.hasSlots
    var digest = [UInt8](repeating: 0, count: 32)
    EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
    return digest
  }
}
