/// A growing table of plain values in one piece of memory, for the hot path: bounds-checked, never copied, and modified
/// in place without a uniqueness check.
struct Table<Element: BitwiseCopyable>: ~Copyable {
  private var base: UnsafeMutablePointer<Element>
  private(set) var capacity: Int
  private(set) var count = 0

  init(capacity: Int = 8) {
    self.capacity = max(capacity, 1)
    base = .allocate(capacity: self.capacity)
  }

  deinit { base.deallocate() }

  @inline(__always)
  subscript(index: Int) -> Element {
    get {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "index out of range")
      return base[index]
    }
    nonmutating _modify {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "index out of range")
      yield &base[index]
    }
  }

  mutating func reserve(_ wanted: Int) {
    if wanted <= capacity { return }
    let grown = max(wanted, capacity * 2)
    let moved = UnsafeMutablePointer<Element>.allocate(capacity: grown)
    moved.moveInitialize(from: base, count: count)
    base.deallocate()
    base = moved
    capacity = grown
  }

  mutating func append(_ element: Element) {
    reserve(count + 1)
    (base + count).initialize(to: element)
    count += 1
  }

  mutating func popLast() -> Element? {
    if count == 0 { return nil }
    count -= 1
    return base[count]
  }

  mutating func removeAll() { count = 0 }

  /// The live part, for the length of `body` only.
  @inline(__always)
  func withElements<R>(_ body: (UnsafeMutableBufferPointer<Element>) -> R) -> R {
    body(UnsafeMutableBufferPointer(start: base, count: count))
  }
}
