import ArgumentParser
import Net

/// Colours where a person reads, unless told otherwise (also by the variable NO_COLOR).
struct ColorOption: ParsableArguments {
  @Flag(help: "Never use colours; the variable NO_COLOR says the same.")
  var noColor = false

  func isUsed(on stream: Console.Stream) -> Bool {
    !noColor && (Host.environment("NO_COLOR") ?? "").isEmpty && Console.isTerminal(stream)
  }
}
