/// A link to an object that somebody else keeps alive for as long as the link is used.
///
/// Reading a `var` of a class counts references up and down, with an atomic operation each; a `let` does not, and
/// neither does this. For links that change with every request, between objects of one worker.
public struct Unretained<Object: AnyObject> {
  @usableFromInline var object: Unmanaged<Object>?

  @inlinable
  public init(_ object: Object?) { self.object = object.map { .passUnretained($0) } }

  @inlinable
  public var isNil: Bool { object == nil }

  /// Calls `body` with the object, if there is one.
  @inlinable @inline(__always)
  @discardableResult
  public func callAsFunction<R>(_ body: (Object) -> R) -> R? {
    guard let object else { return nil }
    return object._withUnsafeGuaranteedRef(body)
  }
}
