/// What a peer did too much of; the word is a metric's label and stands in the log.
public enum HTTP2Abuse: String, CaseIterable, Sendable {
  /// Streams reset by the client before they were answered (CVE-2023-44487).
  case rapidReset = "rapid_reset"
  /// Streams we had to reset because of the peer's bad frames (CVE-2025-8671).
  case provokedResets = "provoked_resets"
  /// A field section cut into too many frames, or too long before decoding (CVE-2024-27316).
  case continuationFlood = "continuation_flood"
  case settingsFlood = "settings_flood"
  case pingFlood = "ping_flood"
  case priorityFlood = "priority_flood"
  case windowUpdateFlood = "window_update_flood"
  /// Credit beyond 2^31-1 (RFC 9113 §6.9.1).
  case windowOverflow = "window_overflow"
  /// DATA without bytes, field sections in empty pieces (CVE-2019-9518).
  case emptyFrames = "empty_frames"
  /// Much padding and little else.
  case paddingWaste = "padding_waste"
  /// Frames of unknown types.
  case unknownFrames = "unknown_frames"
  /// Field sections that decode to far more than the limit, or again and again to more than it.
  case headerBomb = "header_bomb"
  /// Streams opened beyond the limit again and again.
  case tooManyStreams = "too_many_streams"
  /// The preface did not come in time; told by the owner's timer.
  case slowPreface = "slow_preface"
  /// Output waited too long for the peer's window; told by the owner's timer.
  case zeroWindow = "zero_window"
}
