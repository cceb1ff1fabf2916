import Foundation

/// What was built with these tests: same folder, same configuration, same sanitizer.
public enum Products {
  /// On Linux the tests are an executable among the other products.
  public static let folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    .deletingLastPathComponent()

  public static func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
}
