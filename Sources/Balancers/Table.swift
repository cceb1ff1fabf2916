/// A growing table of plain values in one piece of memory, for the hot path: bounds-checked, never copied, and modified
/// in place without a uniqueness check. An empty one owns no memory.
struct Table<Element: BitwiseCopyable>: ~Copyable {
  /// Not nil while `capacity` is above 0.
  private var base: UnsafeMutablePointer<Element>?
  private(set) var capacity = 0
  private(set) var count = 0

  init() {}

  deinit { base?.deallocate() }

  @inline(__always)
  subscript(index: Int) -> Element {
    get {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "index out of range")
      return base.unsafelyUnwrapped[index]
    }
    // Mutating, though it writes through a pointer: Swift 6.3 with the thread sanitizer makes invalid code of a
    // `nonmutating _modify`.
    _modify {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "index out of range")
      yield &base.unsafelyUnwrapped[index]
    }
  }

  mutating func reserve(_ wanted: Int) {
    if wanted <= capacity { return }
    let grown = max(wanted, capacity * 2, 4)
    let moved = UnsafeMutablePointer<Element>.allocate(capacity: grown)
    if let base {
      moved.moveInitialize(from: base, count: count)
      base.deallocate()
    }
    base = moved
    capacity = grown
  }

  mutating func append(_ element: Element) {
    reserve(count + 1)
    (base.unsafelyUnwrapped + count).initialize(to: element)
    count += 1
  }

  mutating func popLast() -> Element? {
    if count == 0 { return nil }
    count -= 1
    return base.unsafelyUnwrapped[count]
  }

  mutating func removeAll() { count = 0 }
}
