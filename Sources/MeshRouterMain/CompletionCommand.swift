import ArgumentParser
import Net

struct CompletionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "completion",
    abstract: "Print the completion script of a shell.",
    discussion: """
      bash:  meshrouter completion bash > /etc/bash_completion.d/meshrouter
      zsh:   meshrouter completion zsh > "${fpath[1]}/_meshrouter"
      fish:  meshrouter completion fish > ~/.config/fish/completions/meshrouter.fish
      """)

  enum Shell: String, CaseIterable, ExpressibleByArgument { case bash, zsh, fish }

  @Argument(help: "bash, zsh or fish.")
  var shell: Shell

  func run() {
    let script =
      switch shell {
      case .bash: MeshRouterCommand.completionScript(for: .bash)
      case .zsh: MeshRouterCommand.completionScript(for: .zsh)
      case .fish: MeshRouterCommand.completionScript(for: .fish)
      }
    Console.write(script.hasSuffix("\n") ? script : script + "\n")
  }
}
