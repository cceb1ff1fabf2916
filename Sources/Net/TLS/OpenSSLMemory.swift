import CMeshShims
import COpenSSL

/// Where OpenSSL's memory comes from.
///
/// An SSL is 7.6 KB, four fifths of which are zeros: arrays for pipelines that nobody uses. It gets a slot of its own,
/// so that `TLSSession.park` can keep what is not zero and give the rest back.
enum OpenSSLMemory {
  /// OpenSSL takes an allocator before its first allocation only, so whatever may be first asks for this. False: there
  /// are no slots here, and no session is ever parked.
  static let hasSlots: Bool = {
    guard mesh_slots_prepare() == 1 else { return false }
    return CRYPTO_set_mem_functions(mesh_slot_malloc, mesh_slot_realloc, mesh_slot_free) == 1
  }()

  static func makeSession(_ context: OpaquePointer) -> OpaquePointer {
    mesh_slot_expect(hasSlots ? 1 : 0)
    defer { mesh_slot_expect(0) }
    guard let ssl = SSL_new(context) else { preconditionFailure("SSL_new: no memory") }
    return ssl
  }
}
