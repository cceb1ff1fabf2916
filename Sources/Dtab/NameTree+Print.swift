/// How the weights of a union are written.
public enum WeightFormat: Sendable {
  /// At least two decimals and as many as it takes to read the same number back: `0.30`, `0.125`.
  case exact
  /// Two decimals, rounded half up, as linkerd prints them; parsing that back may change the shares.
  case twoDecimals
  /// For people: `9 * /a & 1 * /b`; no needless decimals, and a 1 stands where another weight of the union is not 1.
  case readable

  fileprivate var times: String { self == .readable ? " * " : "*" }
}

extension NameTree {
  /// The written form: ` & ` binds tighter than ` | `; a weight of exactly 1 is left out; parentheses stand only where
  /// nesting needs them; a branch with a single child is written as that child, one with none as `~`.
  public func printed(weights: WeightFormat = .exact, leaf show: (Leaf) -> String) -> String {
    var text = ""
    print(into: &text, weights, inside: .top, show)
    return text
  }

  private enum Surrounding { case top, alt, union }

  private func print(
    into text: inout String, _ weights: WeightFormat, inside: Surrounding, _ show: (Leaf) -> String
  ) {
    switch self {
    case .leaf(let leaf): text += show(leaf)
    case .neg: text += "~"
    case .fail: text += "!"
    case .empty: text += "$"
    case .alt(let trees) where trees.isEmpty: text += "~"
    case .alt(let trees) where trees.count == 1: trees[0].print(into: &text, weights, inside: inside, show)
    case .alt(let trees):
      if inside != .top { text += "(" }
      for (index, tree) in trees.enumerated() {
        if index > 0 { text += " | " }
        tree.print(into: &text, weights, inside: .alt, show)
      }
      if inside != .top { text += ")" }
    case .union(let branches) where branches.isEmpty: text += "~"
    case .union(let branches) where branches.count == 1:
      branches[0].tree.print(into: &text, weights, inside: inside, show)
    case .union(let branches):
      let showsOnes = weights == .readable && branches.contains { $0.weight != 1 }
      if inside == .union { text += "(" }
      for (index, branch) in branches.enumerated() {
        if index > 0 { text += " & " }
        if branch.weight != 1 || showsOnes { text += weights.string(branch.weight) + weights.times }
        branch.tree.print(into: &text, weights, inside: .union, show)
      }
      if inside == .union { text += ")" }
    }
  }
}

extension NameTree: CustomStringConvertible where Leaf: CustomStringConvertible {
  public var description: String { printed { $0.description } }
}

extension WeightFormat {
  /// A finite number that is not negative, in digits and one dot, never with an exponent.
  func string(_ weight: Double) -> String {
    var (digits, point) = Self.decimal(weight)
    // Digits stand for 0.d1d2d3… times ten to the power `point`.
    if self == .twoDecimals, digits.count > point + 2 {
      let kept = max(0, point + 2)
      let roundsUp = point + 2 >= 0 && digits[kept] >= 5
      digits.removeSubrange(kept...)
      if roundsUp {
        digits = Self.incremented(digits, point: &point)
      } else if digits.isEmpty {
        point = 0
      }
    }
    var whole = digits.prefix(max(0, point)).map { Character(Unicode.Scalar(0x30 + $0)) }
    if point > digits.count { whole += Array(repeating: "0", count: point - digits.count) }
    if whole.isEmpty { whole = ["0"] }
    var fraction: [Character] = point < 0 ? Array(repeating: "0", count: -point) : []
    fraction += digits.dropFirst(max(0, point)).map { Character(Unicode.Scalar(0x30 + $0)) }
    if self == .readable && fraction.isEmpty { return String(whole) }
    while self != .readable && fraction.count < 2 { fraction.append("0") }
    return String(whole) + "." + String(fraction)
  }

  /// One more in the last place; an empty number becomes 0.01.
  private static func incremented(_ digits: [UInt8], point: inout Int) -> [UInt8] {
    if digits.isEmpty {
      point = -1
      return [1]
    }
    var digits = digits
    for index in digits.indices.reversed() {
      if digits[index] < 9 {
        digits[index] += 1
        return digits
      }
      digits[index] = 0
    }
    point += 1
    return [1] + digits
  }

  /// The shortest digits that read back as the same number, without zeros at either end.
  private static func decimal(_ value: Double) -> (digits: [UInt8], point: Int) {
    var digits: [UInt8] = []
    var point = 0
    var seenPoint = false
    var exponent = 0
    let text = value.description
    let mantissa = text.prefix { $0 != "e" }
    if mantissa.count < text.count { exponent = Int(text.dropFirst(mantissa.count + 1))! }
    for character in mantissa.utf8 {
      if character == 0x2e {
        seenPoint = true
      } else {
        digits.append(character - 0x30)
        if !seenPoint { point += 1 }
      }
    }
    let leading = digits.prefix { $0 == 0 }.count
    digits.removeFirst(leading)
    point -= leading
    while digits.last == 0 { digits.removeLast() }
    return digits.isEmpty ? ([], 0) : (digits, point + exponent)
  }
}
