import MeshBase

/// What a pick, a begin and an end touch of one endpoint; plain bytes, so a table of them is one allocation.
struct Slot: BitwiseCopyable {
  enum Standing: UInt8, BitwiseCopyable {
    /// Not in use; the number may be given to another address.
    case free
    /// In the current endpoint list.
    case live
    /// Gone from the list; requests are still out, or nobody has been told of the end yet.
    case draining
  }

  /// Peak-EWMA cost at the clock's epoch; 0 until the first request has ended. See `PeakEwma`.
  var scaledCost: Double = 0
  /// Invariant: `begin` calls minus `end` calls.
  var outstanding: Int32 = 0
  var standing = Standing.free
  var status = EndpointStatus.open
  /// In the queue of drained slots that `takeFreedSlots` works off.
  var isQueued = false
  /// Peak-EWMA cost at the last observation, nanoseconds.
  var cost: Double = 0
  /// Mean weight of the set divided by this weight: 1 when all weights are equal.
  var inverseWeight: Double = 1
  /// Virtual time at which this endpoint's next turn is due; advances by `inverseWeight` with every pick.
  var pass: Double = 0
}

/// What only updates and the admin page read of one endpoint.
struct SlotDetail {
  var address: SocketAddress
  /// Sum over the entries of the list with this address; 0 gets no new requests.
  var weight: Double = 0
  /// The same sum while an update is being read.
  var listedWeight: Double = 0
  /// Number of the update that last listed it.
  var generation: UInt64 = 0
}
