import DtabStore
import Glibc
import MeshBase
import Net

// Edits the dtabs of a directory for ever, and says of each edit that was acknowledged: `NAMESPACE VERSION MARK`.
// The mark is the first line of the text, or "deleted".
guard CommandLine.arguments.count == 3, let seed = UInt64(CommandLine.arguments[2]) else {
  fatalError("usage: DtabStoreCrashWriter DIRECTORY SEED")
}
let directory = CommandLine.arguments[1]

try ControlActor.runBlocking {
  let store = try await DirectoryDtabStore.open(directory: directory)
  var random = SeededRandom(seed: seed)
  while true {
    let name = ["web", "api", "batch"][random.below(3)]
    var line: String
    if random.below(8) == 0, let current = try store.get(name) {
      try await store.delete(name, expectedVersion: current.version, by: Authorship(author: "crash"))
      line = "\(name) \(current.version + 1) deleted"
    } else {
      let mark = "# \(random.next())"
      var text = mark
      for i in 0..<random.below(30) { text += "\n/svc/\(i) => /$/inet/127.0.0.1/\(i);" }
      let edited = try await store.put(name, text, expectedVersion: nil, by: Authorship(author: "crash"))
      line = "\(name) \(edited.version) \(mark)"
    }
    line += "\n"
    let bytes = Array(line.utf8)
    guard write(1, bytes, bytes.count) == bytes.count else { exit(0) }
  }
}
