/// Appends text and numbers to a growing piece of memory, without strings, arrays or reference counts on the way: a page
/// has tens of thousands of lines.
struct TextWriter: ~Copyable {
  private var base: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private(set) var count = 0

  init(capacity: Int = 64) {
    self.capacity = capacity
    base = .allocate(capacity: capacity)
  }

  deinit { base.deallocate() }

  /// A copy of what was written.
  var bytes: [UInt8] { Array(UnsafeBufferPointer(start: base, count: count)) }

  func append(to out: inout [UInt8]) { out.append(contentsOf: UnsafeBufferPointer(start: base, count: count)) }

  @inline(__always)
  private mutating func reserve(_ more: Int) {
    if capacity - count < more { grow(more) }
  }

  @inline(never)
  private mutating func grow(_ more: Int) {
    capacity = max(2 * capacity, count + more)
    let bigger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    bigger.update(from: base, count: count)
    base.deallocate()
    base = bigger
  }

  @inline(__always)
  private mutating func copy(_ source: UnsafePointer<UInt8>, _ length: Int) {
    reserve(length)
    (base + count).update(from: source, count: length)
    count += length
  }

  mutating func byte(_ b: UInt8) {
    reserve(1)
    base[count] = b
    count += 1
  }
  mutating func text(_ s: StaticString) { copy(s.utf8Start, s.utf8CodeUnitCount) }
  mutating func raw(_ b: [UInt8]) {
    b.withUnsafeBufferPointer { b in
      if let start = b.baseAddress { copy(start, b.count) }
    }
  }
  mutating func string(_ s: String) {
    var s = s
    s.withUTF8 { b in
      if let start = b.baseAddress { copy(start, b.count) }
    }
  }

  mutating func number(_ value: UInt64) {
    var digits = 1
    var bound: UInt64 = 10
    while value >= bound {
      digits += 1
      let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
      if overflow { break }
      bound = next
    }
    reserve(digits)
    var rest = value
    var at = count + digits
    for _ in 0..<digits {
      at -= 1
      base[at] = UInt8(truncatingIfNeeded: rest % 10) &+ 48
      rest /= 10
    }
    count += digits
  }

  mutating func number(_ value: Int) {
    if value < 0 { byte(UInt8(ascii: "-")) }
    number(UInt64(value.magnitude))
  }

  /// `value / 10^decimals`, exactly, without trailing zeros: 1 500 at 6 is `0.0015`.
  mutating func decimal(_ value: UInt64, _ decimals: Int) {
    var divisor: UInt64 = 1
    for _ in 0..<decimals { divisor *= 10 }
    number(value / divisor)
    var rest = value % divisor
    if rest == 0 { return }
    byte(UInt8(ascii: "."))
    while rest > 0 {
      divisor /= 10
      byte(UInt8(truncatingIfNeeded: rest / divisor) &+ 48)
      rest %= divisor
    }
  }

  /// A finite number as it stands in JSON and Prometheus alike. Integers have no fraction.
  mutating func finite(_ value: Double) {
    if value.magnitude < 9e15, value == value.rounded(.towardZero) {
      number(Int(value))
    } else {
      string(value.description)
    }
  }

  /// Prometheus has words for what is no number.
  mutating func prometheus(_ value: Double) {
    if value.isNaN {
      text("NaN")
    } else if value.isInfinite {
      text(value < 0 ? "-Inf" : "+Inf")
    } else {
      finite(value)
    }
  }

  /// JSON has none.
  mutating func json(_ value: Double) {
    if value.isFinite { finite(value) } else { text("null") }
  }

  /// The inside of a quoted label value: backslash, quote and line feed are escaped.
  mutating func labelValue(_ s: String) {
    for b in s.utf8 {
      switch b {
      case UInt8(ascii: "\\"): text("\\\\")
      case UInt8(ascii: "\""): text("\\\"")
      case 10: text("\\n")
      default: byte(b)
      }
    }
  }

  /// HELP text: backslash and line feed are escaped.
  mutating func help(_ s: String) {
    for b in s.utf8 {
      switch b {
      case UInt8(ascii: "\\"): text("\\\\")
      case 10: text("\\n")
      default: byte(b)
      }
    }
  }

  /// The inside of a JSON string, RFC 8259 §7.
  mutating func json(_ s: some Sequence<UInt8>) {
    for b in s {
      switch b {
      case UInt8(ascii: "\\"): text("\\\\")
      case UInt8(ascii: "\""): text("\\\"")
      case 0..<32:
        text("\\u00")
        byte(b < 16 ? 48 : 49)
        let low = b & 15
        byte(low < 10 ? low + 48 : low + 87)
      default: byte(b)
      }
    }
  }
}

/// `a="x",b="y"`, without braces.
func labelBytes(_ labels: [(name: String, value: String)]) -> [UInt8] {
  var out = TextWriter()
  for (i, label) in labels.enumerated() {
    if i > 0 { out.text(",") }
    out.string(label.name)
    out.text("=\"")
    out.labelValue(label.value)
    out.text("\"")
  }
  return out.bytes
}
