import Net

/// How the program is started that takes the place of this process.
public struct SuccessorProgram: Sendable {
  /// All arguments of this process, its name included.
  private let arguments: [String]
  /// Where this program's file was when it was started; its name may lead elsewhere by now.
  private let file: String?

  /// Call at the start, while the program's file is what this process runs.
  public init(arguments: [String]) {
    self.arguments = arguments
    file = (try? FileSystem.resolvingLinks("/proc/self/exe")) ?? nil
  }

  /// The file and its arguments: the one asked for, else the one that this program's name leads to now, which an
  /// upgrade of the package has replaced, else the file that it was started from. `nil`: none of them is a program.
  func launch(_ wanted: String?) -> (file: String, arguments: [String])? {
    if let wanted {
      guard wanted.hasPrefix("/"), let file = Host.program(wanted) else { return nil }
      return (file, [wanted] + arguments.dropFirst())
    }
    guard let name = arguments.first else { return nil }
    guard let found = Host.program(name) ?? file.flatMap(Host.program) else { return nil }
    return (found, arguments)
  }
}
