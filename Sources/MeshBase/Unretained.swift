/// A link to an object that somebody else keeps alive for as long as the link is used.
///
/// Reading a `var` of a class counts references up and down, with an atomic operation each; a `let` does not, and
/// neither does this. For links that change with every request, between objects of one worker.
// Both calls do the same, so none can be taken for the other.
// swift-format-ignore: AmbiguousTrailingClosureOverload
public struct Unretained<Object: AnyObject>: ExpressibleByNilLiteral {
  @usableFromInline var object: Unmanaged<Object>?

  @inlinable
  public init(_ object: Object?) { self.object = object.map { .passUnretained($0) } }

  @inlinable
  init(_ object: Unmanaged<Object>?) { self.object = object }

  @inlinable
  public init(nilLiteral: ()) { object = nil }

  @inlinable
  public static func == (link: Self, _: _OptionalNilComparisonType) -> Bool { link.object == nil }

  @inlinable
  public static func != (link: Self, _: _OptionalNilComparisonType) -> Bool { link.object != nil }

  /// Whether it leads to `other`.
  @inlinable
  public func leads(to other: Object) -> Bool { object?.toOpaque() == Unmanaged.passUnretained(other).toOpaque() }

  /// The object, with a reference of its own: where it is used so often that closures would hide what happens.
  @inlinable
  public var retained: Object? { object?.takeUnretainedValue() }

  /// The same link, as one to a class that `Object` derives from; that it does is for the caller to know.
  @inlinable
  public func unsafeUpcast<Base: AnyObject>(to: Base.Type = Base.self) -> Unretained<Base> {
    Unretained<Base>(object.map { Unmanaged<Base>.fromOpaque($0.toOpaque()) })
  }

  /// Calls `body` with the object, if there is one.
  @inlinable @inline(__always)
  @discardableResult
  public func callAsFunction<R>(_ body: (Object) -> R) -> R? {
    guard let object else { return nil }
    return object._withUnsafeGuaranteedRef(body)
  }

  /// The same where nothing comes back, so that it may stand behind `return`.
  @inlinable @inline(__always)
  public func callAsFunction(_ body: (Object) -> Void) {
    if let object { object._withUnsafeGuaranteedRef(body) }
  }
}
