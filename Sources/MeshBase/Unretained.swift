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

/// Objects of one kind that serve again and again. The pool keeps every object that it has made alive, those in use as
/// well, so that links to them need not; `trim` frees the idle ones that are too many. Confined to one thread.
public struct ObjectPool<Object: AnyObject> {
  @usableFromInline var idle: [Unmanaged<Object>] = []

  @inlinable
  public init() {}

  /// An idle object, or a new one.
  @inlinable @inline(__always)
  public mutating func take(_ make: () -> Object) -> Unretained<Object> {
    if let object = idle.popLast() { return Unretained(object) }
    return Unretained(.passRetained(make()))
  }

  /// `object` came from `take`, and nobody uses it any more.
  @inlinable @inline(__always)
  public mutating func giveBack(_ object: Object) { idle.append(.passUnretained(object)) }

  /// Frees idle objects beyond `count`. Not amid a method of one of them.
  @inlinable
  public mutating func trim(to count: Int) { while idle.count > count { idle.removeLast().release() } }
}
