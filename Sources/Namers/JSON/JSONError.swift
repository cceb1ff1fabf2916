/// Where and why bytes are not the JSON that was expected.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Cause: Equatable, Sendable {
    /// What was expected instead, as a noun: `a string`.
    case expected(String)
    /// The text ends in the middle.
    case endOfText
    case nestedTooDeeply(max: Int)
    /// One element of an array is larger than it may be.
    case elementTooLarge(bytesMax: Int)
    /// A control character, or an escape that there is not, in a string.
    case badString
    case badNumber
    /// A whole number that does not fit, or a fraction where a whole number is expected.
    case notAnInteger
    /// Something follows the value.
    case trailingBytes
  }

  public var cause: Cause
  /// Of the byte, counted from 0.
  public var offset: Int

  public init(_ cause: Cause, at offset: Int) {
    self.cause = cause
    self.offset = offset
  }

  public var description: String {
    let text =
      switch cause {
      case .expected(let noun): "expected \(noun)"
      case .endOfText: "the text ends in the middle"
      case .nestedTooDeeply(let most): "nested more than \(most) levels deep"
      case .elementTooLarge(let most): "one element has more than \(most) bytes"
      case .badString: "a control character or an unknown escape in a string"
      case .badNumber: "this is no number"
      case .notAnInteger: "this is no whole number of 64 bits"
      case .trailingBytes: "something follows the value"
      }
    return "JSON, byte \(offset): \(text)"
  }
}
