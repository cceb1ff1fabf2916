import Dtab
import Foundation
import MeshBase
import Net
import TestSupport
import Testing

@testable import Namers

/// One after the other: they measure times, and all of them live on the one control thread.
@Suite("namers", .serialized)
struct NamersTests {}

extension NamersTests {
  @Suite("io.l5d.fs", .serialized)
  @ControlActor
  struct FsNamerTests {
    let directory = TemporaryDirectory()
    let namer: FsNamer

    init() { namer = FsNamer(rootDirectory: directory.path, resolver: offlineResolver()) }

    @Test("a file is a name with the lines as endpoints; the rest of the path is residual")
    func file() {
      directory.replace("web", "127.0.0.1 8080\n\n# comment\n127.0.0.2 8081 * 0.5 # half\n::1 9 *2.\n")
      let bound = namer.lookup("/web/a/b").bound
      #expect(bound?.id == "/#/io.l5d.fs/web")
      #expect(bound?.residual == "/a/b")
      #expect(bound?.endpoints.shown == ["127.0.0.1:8080", "127.0.0.2:8081*0.5", "[::1]:9*2.0"])
    }

    @Test("views of one file share its endpoints")
    func shared() {
      directory.replace("web", "127.0.0.1 8080\n")
      let a = namer.lookup("/web")
      let b = namer.lookup("/web/residual")
      #expect(a.bound?.endpoints === b.bound?.endpoints)
      #expect(a.bound?.endpoints != nil)
      #expect(namer.lookup("/web") === a)
    }

    @Test("a missing file is neg and becomes a name when it appears; removed it is neg again")
    func appears() async {
      let lookup = namer.lookup("/web")
      #expect(lookup.isNeg)
      directory.overwrite("web", "127.0.0.1 1\n")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
      let endpoints = lookup.bound?.endpoints
      directory.remove("web")
      #expect(await eventually { lookup.isNeg && endpoints?.current == .neg })
      directory.replace("web", "127.0.0.1 2\n")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:2"] })
      #expect(endpoints === lookup.bound?.endpoints)
    }

    @Test("an empty file is a name without endpoints")
    func empty() async {
      directory.overwrite("web", "")
      let lookup = namer.lookup("/web")
      #expect(await eventually { lookup.bound?.endpoints.current == .bound([]) })
    }

    @Test("an atomic rename and an in-place write are seen within 100 ms", arguments: [true, false])
    func changes(atomically: Bool) async {
      directory.replace("web", "127.0.0.1 1\n")
      let lookup = namer.lookup("/web")
      let source = lookup.bound!.endpoints
      var nanoseconds: [UInt64] = []
      for port in 2...20 {
        let since = Clock.now
        if atomically {
          directory.replace("web", "127.0.0.1 \(port)\n")
        } else {
          directory.overwrite("web", "127.0.0.1 \(port)\n")
        }
        #expect(await eventually { source.shown == ["127.0.0.1:\(port)"] })
        nanoseconds.append(Clock.now.nanoseconds(since: since))
      }
      // Not the slowest: other tests share the processor.
      #expect(nanoseconds.sorted()[nanoseconds.count / 2] < patience(100_000_000), "\(nanoseconds)")
    }

    @Test("a writer that truncates first and writes in pieces never empties or tears the set")
    func tornWrites() async {
      directory.replace("web", "127.0.0.1 8001\n127.0.0.1 8002\n")
      let lookup = namer.lookup("/web")
      let source = lookup.bound!.endpoints
      var seen: Set<[String]> = []
      let token = source.observe { seen.insert(source.shown) }
      let path = "\(directory.path)/web"
      for round in 0..<5 {
        let descriptor = open(path, O_WRONLY | O_TRUNC)
        try? await ControlActor.sleep(milliseconds: 20)
        for piece in ["127.0.0.1 80", "0\(round + 3)\n127.0", ".0.1 8002\n"] {
          _ = piece.withCString { Foundation.write(descriptor, $0, strlen($0)) }
          try? await ControlActor.sleep(milliseconds: 30)
        }
        close(descriptor)
        #expect(await eventually { source.shown == ["127.0.0.1:8002", "127.0.0.1:800\(round + 3)"].sorted() })
      }
      token.cancel()
      for set in seen { #expect(set.count == 2 && set.allSatisfy { $0.utf8.count == 14 }, "\(set)") }
    }

    @Test("a file flapping 20 times a second is never seen empty or gone")
    func flapping() async {
      directory.replace("web", "127.0.0.1 1\n127.0.0.1 2\n")
      let lookup = namer.lookup("/web")
      let source = lookup.bound!.endpoints
      var bad = 0
      var changes = 0
      let tokens = [
        source.observe {
          changes += 1
          if source.current.endpoints.isEmpty { bad += 1 }
        }, lookup.observe { if lookup.bound == nil { bad += 1 } },
      ]
      for round in 0..<40 {
        let text = "127.0.0.1 1\n127.0.0.1 \(2 + round % 3)\n"
        switch round % 4 {
        case 0: directory.overwrite("web", text)
        case 1:
          directory.remove("web")
          directory.overwrite("web", text)
        default: directory.replace("web", text)
        }
        try? await ControlActor.sleep(milliseconds: 50)
      }
      for token in tokens { token.cancel() }
      #expect(bad == 0)
      #expect(changes >= 35)
    }

    @Test("a bad line keeps the last good set and tells file, place and remedy; mending it clears the report")
    func badLine() async {
      directory.replace("web", "127.0.0.1 1\n")
      let lookup = namer.lookup("/web")
      let source = lookup.bound!.endpoints
      directory.replace("web", "127.0.0.1 1\n127.0.0.1 70000\n")
      #expect(await eventually { source.lastError != nil })
      #expect(source.shown == ["127.0.0.1:1"])
      #expect(
        source.lastError
          == "\(directory.path)/web: line 2, column 11: `70000` is not a port; write a number from 1 to 65535")
      #expect(source.staleSince != nil)
      directory.replace("web", "127.0.0.1 1\n")
      #expect(await eventually { source.lastError == nil })
      #expect(source.staleSince == nil)
    }

    @Test("a file that is bad from the start is a name whose endpoints are not known")
    func badFromStart() async {
      directory.replace("web", "nonsense\n")
      let source = namer.lookup("/web").bound?.endpoints
      guard case .failed(let text)? = source?.current else {
        Issue.record("\(String(describing: source?.current))")
        return
      }
      #expect(text.hasSuffix("line 1, column 9: the port is missing; a line is `host port` or `host port * weight`"))
    }

    @Test("500,000 bytes are read, one more is refused with the last good set kept")
    func size() async {
      let line = "127.0.0.1 80\n"
      directory.replace("web", line + String(repeating: "#", count: 500_000 - line.utf8.count))
      let lookup = namer.lookup("/web")
      let source = lookup.bound!.endpoints
      #expect(source.shown == ["127.0.0.1:80"])
      directory.replace("web", "127.0.0.1 81\n" + String(repeating: "#", count: 500_001 - line.utf8.count))
      #expect(await eventually { source.lastError?.contains("500001 bytes; the limit is 500000") == true })
      #expect(source.shown == ["127.0.0.1:80"])
    }

    @Test("directories are walked; one that appears or is replaced later is followed")
    func directories() async {
      let lookup = namer.lookup("/prod/eu/web/rest")
      #expect(lookup.isNeg)
      #expect(namer.lookup("/").isNeg)
      directory.makeDirectory("prod/eu")
      directory.replace("prod/eu/web", "127.0.0.1 1\n")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
      #expect(lookup.bound?.id == "/#/io.l5d.fs/prod/eu/web")
      #expect(lookup.bound?.residual == "/rest")
      #expect(namer.lookup("/prod/eu").isNeg)
      directory.makeDirectory("next/eu")
      directory.replace("next/eu/web", "127.0.0.1 2\n")
      rename("\(directory.path)/prod", "\(directory.path)/old")
      rename("\(directory.path)/next", "\(directory.path)/prod")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:2"] })
      // The new directory is watched now, the old one is not.
      directory.replace("prod/eu/web", "127.0.0.1 3\n")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:3"] })
      directory.replace("old/eu/web", "127.0.0.1 4\n")
      try? await ControlActor.sleep(milliseconds: 60)
      #expect(lookup.bound?.endpoints.shown == ["127.0.0.1:3"])
    }

    @Test("one change of a file costs the same however many residual paths lead there")
    func manyResiduals() async {
      directory.replace("web", "127.0.0.1 1\n")
      let lookups = (0..<2_000).map { namer.lookup(Path(labels: ["web", "r\($0)"])) }
      let source = lookups[0].bound!.endpoints
      #expect(lookups.allSatisfy { $0.bound?.endpoints === source })
      var told = 0
      let tokens = lookups.map { $0.observe { told += 1 } }
      for port in 2...20 {
        directory.replace("web", "127.0.0.1 \(port)\n")
        #expect(await eventually { source.shown == ["127.0.0.1:\(port)"] })
      }
      #expect(told == 0)
      directory.remove("web")
      #expect(await eventually { lookups.allSatisfy { $0.isNeg } })
      #expect(told == 2_000)
      for token in tokens { token.cancel() }
    }

    @Test("a root that does not exist yet is found when it is made")
    func lateRoot() async {
      let namer = FsNamer(rootDirectory: directory.path + "/not/yet", resolver: offlineResolver())
      let lookup = namer.lookup("/web")
      #expect(lookup.isNeg)
      directory.makeDirectory("not")
      try? await ControlActor.sleep(milliseconds: 20)
      directory.makeDirectory("not/yet")
      directory.replace("not/yet/web", "127.0.0.1 1\n")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
    }

    @Test("no element leads out of the root")
    func escape() {
      let name = directory.path.split(separator: "/").last!
      directory.replace("web", "127.0.0.1 1\n")
      #expect(namer.lookup(Path(labels: ["..", String(name), "web"])).isNeg)
      #expect(namer.lookup(Path(labels: [".", "web"])).isNeg)
      #expect(namer.lookup(Path(labels: ["/etc/hosts"])).isNeg)
      #expect(namer.lookup(Path(labels: ["../\(name)/web"])).isNeg)
      #expect(namer.lookup(Path([Label(bytes: Array("web\u{0}x".utf8))!])).isNeg)
      #expect(namer.lookup(Path([Label(bytes: [0xff, 0xfe])!])).isNeg)
      #expect(namer.lookup(Path(labels: [String(repeating: "x", count: 300)])).isNeg)
    }

    @Test("symbolic links are followed; swapping a link or writing to its target is seen")
    func links() async throws {
      directory.makeDirectory("v1")
      directory.makeDirectory("v2")
      directory.makeDirectory("names")
      directory.replace("v1/web", "127.0.0.1 1\n")
      directory.replace("v2/web", "127.0.0.1 2\n")
      symlink("../v1", "\(directory.path)/names/..data")
      symlink("..data/web", "\(directory.path)/names/web")
      let namer = FsNamer(rootDirectory: directory.path + "/names", resolver: offlineResolver())
      let lookup = namer.lookup("/web")
      #expect(lookup.bound?.endpoints.shown == ["127.0.0.1:1"])
      symlink("../v2", "\(directory.path)/names/..tmp")
      rename("\(directory.path)/names/..tmp", "\(directory.path)/names/..data")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:2"] })
      directory.overwrite("v2/web", "127.0.0.1 3\n")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:3"] })
    }

    @Test("an address given twice counts once, with the later weight")
    func duplicates() {
      directory.replace("web", "127.0.0.1 1\n127.0.0.1 2\n127.0.0.1 1 * 3\n")
      #expect(namer.lookup("/web").bound?.endpoints.shown == ["127.0.0.1:1*3.0", "127.0.0.1:2"])
    }

    @Test("polling sees what no event tells")
    func polling() async {
      let namer = FsNamer(rootDirectory: directory.path, pollMilliseconds: 20, resolver: offlineResolver())
      let lookup = namer.lookup("/web")
      #expect(lookup.isNeg)
      directory.replace("web", "127.0.0.1 1\n")
      #expect(await eventually { lookup.bound?.endpoints.shown == ["127.0.0.1:1"] })
    }

    @Test("what is not in use is not watched")
    func idle() async {
      directory.makeDirectory("a")
      directory.replace("a/web", "127.0.0.1 1\n")
      var lookup: NameLookup? = namer.lookup("/a/web")
      var bound = lookup?.bound
      #expect(namer.state().names.map(\.id) == ["/#/io.l5d.fs/a/web"])
      #expect(namer.watch.isWatching)
      lookup = nil
      #expect(namer.watch.isWatching, "the endpoints are in use still")
      directory.replace("a/web", "127.0.0.1 2\n")
      #expect(await eventually { bound?.endpoints.shown == ["127.0.0.1:2"] })
      bound = nil
      #expect(await eventually { !namer.watch.isWatching })
      #expect(namer.state().names.isEmpty)
    }

    @Test("near names stand beside the missing one; hidden files are none")
    func near() {
      directory.makeDirectory("prod")
      directory.replace("web", "")
      directory.replace("wet", "")
      directory.replace(".wbb", "")
      directory.replace("prod/api", "")
      #expect(namer.nearNames(to: "/wbe/x", limit: 3) == ["/#/io.l5d.fs/web"])
      #expect(namer.nearNames(to: "/wea", limit: 3) == ["/#/io.l5d.fs/web", "/#/io.l5d.fs/wet"])
      #expect(namer.nearNames(to: "/wea", limit: 1).count == 1)
      #expect(namer.nearNames(to: "/prod/apj", limit: 3) == ["/#/io.l5d.fs/prod/api"])
      #expect(namer.nearNames(to: "/prdo/api", limit: 3) == ["/#/io.l5d.fs/prod"])
      #expect(namer.nearNames(to: Path(labels: ["..", "x"]), limit: 3) == [])
    }

    @Test("failing since the oldest failure among the names in use")
    func failingSince() async {
      directory.replace("web", "127.0.0.1 1\n")
      directory.replace("api", "127.0.0.1 2\n")
      #expect(namer.failingSince == nil)
      let web = namer.lookup("/web")
      var api: NameLookup? = namer.lookup("/api")
      #expect(namer.failingSince == nil)
      directory.replace("api", "oops\n")
      #expect(await eventually { api?.bound?.endpoints.failure != nil })
      directory.replace("web", "oops\n")
      #expect(await eventually { web.bound?.endpoints.failure != nil })
      let wrapped = TransformedNamer(namer, transformers: [])
      #expect(namer.failingSince == api?.bound?.endpoints.failure?.since)
      #expect(wrapped.failingSince == namer.failingSince)
      api = nil
      #expect(await eventually { namer.failingSince == web.bound?.endpoints.failure?.since })
      directory.replace("web", "127.0.0.1 1\n")
      #expect(await eventually { namer.failingSince == nil })
    }

    @Test("the state names file, endpoints and error as JSON")
    func state() async throws {
      directory.replace("web", "127.0.0.1 1 * 2\n")
      let lookup = namer.lookup("/web")
      directory.replace("web", "oops\n")
      #expect(await eventually { lookup.bound?.endpoints.lastError != nil })
      let object = try JSONSerialization.jsonObject(with: Data(namer.state().json.utf8)) as? [String: Any]
      #expect(object?["kind"] as? String == "io.l5d.fs")
      #expect(object?["rootDir"] as? String == directory.path)
      let name = (object?["names"] as? [[String: Any]])?.first
      #expect(name?["id"] as? String == "/#/io.l5d.fs/web")
      #expect((name?["lastError"] as? String)?.contains("line 1, column 5") == true)
      let endpoint = (name?["endpoints"] as? [[String: Any]])?.first
      #expect(endpoint?["address"] as? String == "127.0.0.1:1")
      #expect(endpoint?["weight"] as? Double == 2)
    }
  }

  @Suite("the format of an endpoint file")
  struct EndpointFileTests {
    @Test(
      "a bad line is named with its place and a remedy",
      arguments: [
        ("127.0.0.1", 1, 10, "port is missing"), ("\n 127.0.0.1 x", 2, 12, "`x` is not a port"),
        ("a 0", 1, 3, "not a port"), ("a 65536", 1, 3, "not a port"), ("a 80 90", 1, 6, "`90` is unexpected"),
        ("a 80 *", 1, 7, "weight is missing"), ("a 80 * -1", 1, 8, "`-1` is not a weight"),
        ("a 80 * 1e3", 1, 8, "not a weight"), ("a 80 * .", 1, 8, "not a weight"), ("a 80 * 1 2", 1, 10, "unexpected"),
        ("1.2.3.4:80", 1, 1, "two words"), ("1.2.3 80", 1, 1, "neither an address nor a host name"),
        ("a_b!c 80", 1, 1, "neither"), ("\u{e9} 80", 1, 1, "neither"), ("-a 80", 1, 1, "neither"),
        ("[1.2.3 80", 1, 1, "neither"), ("a\u{1} 80", 1, 1, "neither"),
      ])
    func bad(_ text: String, _ line: Int, _ column: Int, _ part: String) {
      #expect {
        try EndpointFile.parse(Array(text.utf8))
      } throws: { error in
        guard let problem = error as? EndpointFile.Problem else { return false }
        return problem.line == line && problem.column == column && problem.message.contains(part)
      }
    }

    @Test(
      "good lines",
      arguments: [
        ("a.b-c_d 80", "a.b-c_d", 80, 1), ("a 80*2", "a", 80, 2), ("a 80 * .5#x", "a", 80, 0.5),
        ("[::1]\t80 * 0", "[::1]", 80, 0), ("::ffff:1.2.3.4 080\r", "::ffff:1.2.3.4", 80, 1),
        ("a 80 * 10", "a", 80, 10),
        ("a 80 * 007.250", "a", 80, 7.25),
      ])
    func good(_ text: String, _ host: String, _ port: Int, _ weight: Double) throws {
      let entries = try EndpointFile.parse(Array(text.utf8))
      #expect(entries == [HostEntry(host: host, port: UInt16(port), weight: weight, line: 1)])
    }

    @Test("any bytes at all are parsed or refused")
    func fuzz() {
      let seed = UInt64.random(in: .min ... .max)
      var random = SeededRandom(seed: seed)
      let alphabet = Array("ab.:*# \t\n\r[]0189-_".utf8) + [0, 0xff, 0xc3]
      for _ in 0..<20_000 {
        let count = Int(random.next() % 40)
        let bytes = (0..<count).map { _ in alphabet[Int(random.next() % UInt64(alphabet.count))] }
        do throws(EndpointFile.Problem) {
          for entry in try EndpointFile.parse(bytes) { #expect(entry.port > 0 && entry.weight >= 0, "seed \(seed)") }
        } catch {
          let lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
          #expect(error.line <= lines.count && error.column <= lines[error.line - 1].count + 1, "seed \(seed)")
        }
      }
    }
  }
}
