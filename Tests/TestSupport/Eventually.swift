import MeshBase
import Net

/// Waits until the condition holds; false when the time is up. The limit is that of an ordinary build.
@ControlActor
public func eventually(
  withinMilliseconds limit: UInt64 = 2_000, _ condition: @ControlActor () async throws -> Bool
) async rethrows -> Bool {
  let deadline = Clock.now.advanced(byMilliseconds: patience(limit))
  while true {
    if try await condition() { return true }
    if Clock.now > deadline { return false }
    try? await ControlActor.sleep(milliseconds: 1)
  }
}
