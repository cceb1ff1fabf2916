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
