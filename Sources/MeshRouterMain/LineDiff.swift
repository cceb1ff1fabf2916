/// The lines of two texts side by side, as a person reads a change.
struct LineDiff {
  enum Line: Equatable {
    case kept(Substring)
    case removed(Substring)
    case added(Substring)
  }

  let lines: [Line]

  /// Middle parts with more pairs of lines than this are shown as removed and added as a whole.
  private static let pairsMax = 4_000_000

  init(from old: String, to new: String) {
    let a = Self.split(old)
    let b = Self.split(new)
    let head = zip(a, b).prefix { $0 == $1 }.count
    let tail = zip(a[head...].reversed(), b[head...].reversed()).prefix { $0 == $1 }.count
    let (from, to) = (a[head..<(a.count - tail)], b[head..<(b.count - tail)])
    lines =
      a[..<head].map { .kept($0) } + Self.middle(Array(from), Array(to)) + a[(a.count - tail)...].map { .kept($0) }
  }

  var isEmpty: Bool { lines.allSatisfy { if case .kept = $0 { true } else { false } } }

  /// `- ` and `+ ` before what was removed and added; of what is the same only `context` lines around a change.
  func text(context: Int = 2, color: Bool = false) -> String {
    let changed = lines.indices.filter { if case .kept = lines[$0] { false } else { true } }
    var shown = Set<Int>()
    for index in changed { shown.formUnion(max(0, index - context)...min(lines.count - 1, index + context)) }
    var out = ""
    var last = -1
    for index in shown.sorted() {
      if index > last + 1 { out += "  …\n" }
      last = index
      switch lines[index] {
      case .kept(let text): out += "  \(text)\n"
      case .removed(let text): out += color ? "\u{1b}[31m- \(text)\u{1b}[0m\n" : "- \(text)\n"
      case .added(let text): out += color ? "\u{1b}[32m+ \(text)\u{1b}[0m\n" : "+ \(text)\n"
      }
    }
    if last >= 0, last < lines.count - 1 { out += "  …\n" }
    return out
  }

  private static func split(_ text: String) -> [Substring] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last == "" { lines.removeLast() }
    return lines
  }

  /// By the longest common subsequence.
  private static func middle(_ a: [Substring], _ b: [Substring]) -> [Line] {
    guard a.count * b.count <= pairsMax else { return a.map { .removed($0) } + b.map { .added($0) } }
    // common[i][j]: length of the longest common subsequence of a[i...] and b[j...].
    let width = b.count + 1
    var common = [Int32](repeating: 0, count: (a.count + 1) * width)
    for i in a.indices.reversed() {
      for j in b.indices.reversed() {
        common[i * width + j] =
          a[i] == b[j]
          ? common[(i + 1) * width + j + 1] + 1 : max(common[(i + 1) * width + j], common[i * width + j + 1])
      }
    }
    var lines: [Line] = []
    var (i, j) = (0, 0)
    while i < a.count || j < b.count {
      if i < a.count, j < b.count, a[i] == b[j] {
        lines.append(.kept(a[i]))
        i += 1
        j += 1
      } else if i < a.count, j == b.count || common[(i + 1) * width + j] >= common[i * width + j + 1] {
        lines.append(.removed(a[i]))
        i += 1
      } else {
        lines.append(.added(b[j]))
        j += 1
      }
    }
    return lines
  }
}
