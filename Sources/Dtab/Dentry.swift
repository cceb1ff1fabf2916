/// One rule of a dtab: names below `prefix` stand for `tree`, with the rest of the name appended to each of its leaves.
public struct Dentry: Hashable, Sendable {
  public let prefix: PathPrefix
  public let tree: NameTree<Path>

  public init(_ prefix: PathPrefix, _ tree: NameTree<Path>) {
    self.prefix = prefix
    self.tree = tree
  }

  /// Reads the written form, `/svc => /host`, without a `;`.
  public init(parsing text: some StringProtocol) throws(DtabError) {
    var parser = DtabParser(text)
    self = try parser.wholeDentry()
  }
}

extension Dentry: CustomStringConvertible {
  public var description: String { printed() }

  public func printed(weights: WeightFormat = .exact) -> String {
    prefix.description + "=>" + tree.printed(weights: weights) { $0.description }
  }
}
