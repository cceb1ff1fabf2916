import Foundation

/// The working tree these tests were compiled from.
enum Repository {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// Paths below `folder`, relative to the root and sorted, whose name ends in one of `suffixes`.
  ///
  /// Build folders and hidden ones are not looked into. `folder` may be empty for the whole tree.
  static func files(in folder: String, suffixes: [String]) -> [String] {
    let base = folder.isEmpty ? root : root.appendingPathComponent(folder)
    let walk = FileManager.default.enumerator(
      at: base, includingPropertiesForKeys: nil, options: [.skipsHiddenFiles])
    var found: [String] = []
    while let url = walk?.nextObject() as? URL {
      guard suffixes.contains(where: { url.lastPathComponent.hasSuffix($0) }) else { continue }
      found.append(String(url.path.dropFirst(root.path.count + 1)))
    }
    return found.sorted()
  }

  static func text(_ path: String) throws -> String {
    try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
  }

  static func lines(_ path: String) throws -> [Substring] {
    try text(path).split(separator: "\n", omittingEmptySubsequences: false)
  }

  static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
  }

  static func isExecutable(_ path: String) -> Bool {
    FileManager.default.isExecutableFile(atPath: root.appendingPathComponent(path).path)
  }
}
