import CMeshShims
import MeshBase

/// The two clocks of the host. Pure code never reads them; it is handed the result.
public enum Clock {
  @inlinable public static var now: MonotonicInstant { MonotonicInstant(nanoseconds: mesh_monotonic_nanoseconds()) }

  /// Nanoseconds since the Unix epoch.
  @inlinable public static var wallNanoseconds: UInt64 { mesh_wall_nanoseconds() }
}
