import COpenSSL

/// Reads PEM files.
enum TLSFiles {
  private static let bytesMax = 16 << 20

  /// Every certificate of a file, X509 which the caller frees; at least one.
  static func certificates(_ path: String) throws(TLSLoadError) -> [OpaquePointer] {
    let bytes = try read(path)
    var result: [OpaquePointer] = []
    withMemory(bytes) { memory in
      while let certificate = PEM_read_bio_X509_AUX(memory, nil, nil, nil) { result.append(certificate) }
    }
    let error = OpenSSLErrors.take()
    // The end of the file is told as a missing start line.
    let isEnd = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE
    guard isEnd || error == 0, !result.isEmpty else {
      for item in result { X509_free(item) }
      if isEnd || error == 0 {
        let isKey = contains(bytes, "PRIVATE KEY-----")
        throw TLSLoadError(
          file: path, isKey ? "holds a private key, but no certificate" : "holds no PEM certificate",
          remedy: isKey
            ? "Name the certificate's file here, the key's file as the key."
            : "A PEM file has lines such as -----BEGIN CERTIFICATE-----; convert DER with openssl x509 -inform der.")
      }
      throw TLSLoadError(
        file: path, "certificate \(result.count + 1) is damaged: \(OpenSSLErrors.text(error))",
        remedy: "Look at it with openssl x509 -in \(path) -noout -text, and get it anew.")
    }
    return result
  }

  /// An EVP_PKEY which the caller frees.
  static func privateKey(_ path: String) throws(TLSLoadError) -> OpaquePointer {
    let bytes = try read(path)
    if contains(bytes, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || contains(bytes, "Proc-Type: 4,ENCRYPTED") {
      throw TLSLoadError(
        file: path, "the key is encrypted, and nobody could type its passphrase",
        remedy: "Store it decrypted, readable by the router alone: openssl pkey -in \(path) -out KEY.pem; chmod 600.")
    }
    var key: OpaquePointer?
    withMemory(bytes) { memory in key = PEM_read_bio_PrivateKey(memory, nil, { _, _, _, _ in 0 }, nil) }
    if let key {
      ERR_clear_error()
      return key
    }
    let error = OpenSSLErrors.take()
    if contains(bytes, "PRIVATE KEY-----") {
      throw TLSLoadError(
        file: path, "the key is damaged: \(OpenSSLErrors.text(error))",
        remedy: "Look at it with openssl pkey -in \(path) -noout -text.")
    }
    throw TLSLoadError(
      file: path, contains(bytes, "-----BEGIN CERTIFICATE") ? "holds a certificate, but no key" : "holds no PEM key",
      remedy: "A PEM key has a line such as -----BEGIN PRIVATE KEY-----, of any type that OpenSSL reads.")
  }

  /// An X509_STORE of roots which the caller frees, and the names of those roots.
  static func trustStore(_ trust: TLSTrust) throws(TLSLoadError) -> (store: OpaquePointer, roots: [OpaquePointer]) {
    _ = OpenSSLMemory.hasSlots
    guard let store = X509_STORE_new() else { preconditionFailure("X509_STORE_new: no memory") }
    var roots: [OpaquePointer] = []
    do throws(TLSLoadError) {
      switch trust {
      case .system:
        guard X509_STORE_set_default_paths(store) == 1 else {
          throw TLSLoadError(
            "the system's trust roots cannot be read: \(OpenSSLErrors.text(OpenSSLErrors.take()))",
            remedy: "Install ca-certificates, or name a file of trust roots.")
        }
      case .files(let paths):
        for path in paths {
          for file in try files(at: path) {
            let read = try certificates(file)
            roots += read
            for root in read { X509_STORE_add_cert(store, root) }
          }
        }
      }
    } catch {
      for item in roots { X509_free(item) }
      X509_STORE_free(store)
      throw error
    }
    ERR_clear_error()
    return (store, roots)
  }

  /// The file itself, or every file of a directory but hidden ones.
  private static func files(at path: String) throws(TLSLoadError) -> [String] {
    do throws(SystemError) {
      guard try FileSystem.status(path)?.isDirectory == true else { return [path] }
      let names = try FileSystem.list(path).filter { !$0.hasPrefix(".") }
      var files: [String] = []
      for name in names where try FileSystem.status(path + "/" + name)?.isDirectory == false {
        files.append(path + "/" + name)
      }
      if !files.isEmpty { return files }
    } catch {
      throw unreadable(path, error)
    }
    throw TLSLoadError(file: path, "the directory holds no file", remedy: "Put PEM files of trust roots into it.")
  }

  private static func read(_ path: String) throws(TLSLoadError) -> [UInt8] {
    do throws(SystemError) { return try FileSystem.read(path, limit: bytesMax) } catch { throw unreadable(path, error) }
  }

  private static func unreadable(_ path: String, _ error: SystemError) -> TLSLoadError {
    let remedy =
      error.isMissingFile
      ? "Give the file's path, absolute or from where the router is started."
      : "The user that the router runs as must be able to read it."
    return TLSLoadError(file: path, SystemError.text(error.code), remedy: remedy)
  }

  private static func withMemory(_ bytes: [UInt8], _ body: (OpaquePointer) -> Void) {
    _ = OpenSSLMemory.hasSlots
    bytes.withUnsafeBytes { buffer in
      guard let memory = BIO_new_mem_buf(buffer.baseAddress, Int32(buffer.count)) else { return }
      defer { BIO_free(memory) }
      body(memory)
    }
  }

  private static func contains(_ bytes: [UInt8], _ text: String) -> Bool {
    let wanted = Array(text.utf8)
    guard bytes.count >= wanted.count else { return false }
    return (0...(bytes.count - wanted.count)).contains { start in
      bytes[start] == wanted[0] && bytes[start..<(start + wanted.count)].elementsEqual(wanted)
    }
  }
}
