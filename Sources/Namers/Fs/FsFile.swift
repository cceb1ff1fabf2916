import Dtab
import Logging
import MeshBase
import Net

/// One endpoint file in use: reads it when it has changed and feeds its source.
@ControlActor
final class FsFile {
  let id: Path
  private var location: FsLocation
  private let namer: FsNamer
  private weak var source: EndpointSource?
  private let endpoints: HostEndpoints
  private var tokens: [ObservationToken] = []
  private var signature: FileSystem.Status?
  private lazy var reading = EndOfTurn { [weak self] in self?.read() }
  private lazy var writerTimer = ControlTimer { [weak self] in self?.writerTookTooLong() }
  /// Since when a writer has been at work without closing.
  private var writingSince: MonotonicInstant?
  private var loggedProblem: String?
  private var watchIsLost = false

  /// An in-place writer is given so long to close the file before what is there is read.
  private static let writerMilliseconds: UInt64 = 50
  /// And so long while the content is empty or ends within a line, as after the first half of a write.
  private static let tornMillisecondsMax: UInt64 = 1_000
  private static let vanishMilliseconds: UInt64 = 20

  init(_ id: Path, at location: FsLocation, namer: FsNamer, _ source: EndpointSource) {
    self.id = id
    self.location = location
    self.namer = namer
    self.source = source
    endpoints = HostEndpoints(source, resolver: namer.resolver)
    watch()
  }

  /// The file was found again, perhaps elsewhere than before.
  func move(to location: FsLocation) {
    if location != self.location {
      self.location = location
      signature = nil
    }
    watch()
    readIfChanged()
  }

  private func watch() {
    watchIsLost = false
    let old = tokens
    let real = (try? FileSystem.resolvingLinks(location.path)) ?? nil
    tokens = [observe(location.directory, location.name)]
    if let real, real != location.path {
      let target = FsLocation(path: real)
      tokens += [observe(location.directory, nil), observe(target.directory, target.name)]
    }
    withExtendedLifetime(old) { namer.watchMayHaveFailed() }
  }

  private func observe(_ directory: String, _ name: String?) -> ObservationToken {
    namer.watch.directory(directory).observe(name) { [weak self] event in
      self?.happened(event, isNeighbour: name == nil)
    }
  }

  private func happened(_ event: FileEvent, isNeighbour: Bool) {
    if !event.isDisjoint(with: .directory) {
      watchIsLost = true
      reading.request()
    } else if isNeighbour {
      reading.request()
    } else if !event.isDisjoint(with: .written) {
      writingSince = nil
      writerTimer.cancel()
      reading.request()
    } else if !event.isDisjoint(with: .appeared) {
      reading.request()
    } else if !event.isDisjoint(with: .modified) {
      waitForWriter()
    } else if !event.isDisjoint(with: .vanished) {
      // The node decides whether the name is gone; see there for the delay.
      if !writerTimer.isSet { writerTimer.set(milliseconds: Self.vanishMilliseconds) }
    }
  }

  private func waitForWriter() {
    writingSince = writingSince ?? Clock.now
    if !writerTimer.isSet { writerTimer.set(milliseconds: Self.writerMilliseconds) }
  }

  private func writerTookTooLong() { read() }

  func readIfChanged() {
    let status = (try? FileSystem.status(location.path)) ?? nil
    if status != signature { read() }
  }

  func read() {
    guard let source else { return }
    if watchIsLost { watch() }
    let bytes: [UInt8]
    do throws(SystemError) {
      guard let status = try FileSystem.status(location.path) else {
        signature = nil
        writingSince = nil
        endpoints.entries = []
        return source.publish(.neg)
      }
      guard status.size <= EndpointFile.bytesMax else {
        signature = status
        return report("\(status.size) bytes; the limit is \(EndpointFile.bytesMax), split it into several names")
      }
      bytes = try FileSystem.read(location.path, limit: EndpointFile.bytesMax)
      if isTorn(bytes, status) { return }
      signature = status
    } catch {
      return report("\(error)")
    }
    writingSince = nil
    do throws(EndpointFile.Problem) {
      let entries = try EndpointFile.parse(bytes)
      endpoints.sourceFailure = nil
      endpoints.entries = entries
      if loggedProblem != nil { namer.log.notice("\(location.path): good again, \(entries.count) endpoints") }
      loggedProblem = nil
    } catch {
      report("\(error)")
    }
  }

  /// Whether a writer seems to be in the middle of it; then the file is read again when it has closed, or soon.
  private func isTorn(_ bytes: [UInt8], _ status: FileSystem.Status) -> Bool {
    let now = Clock.now
    if let writingSince {
      let waited = now.nanoseconds(since: writingSince) / 1_000_000
      let isSuspicious = bytes.isEmpty ? waited < Self.writerMilliseconds : bytes.last != UInt8(ascii: "\n")
      guard waited < Self.writerMilliseconds || isSuspicious && waited < Self.tornMillisecondsMax else { return false }
    } else {
      // Truncated just now, perhaps before we watched.
      let age = Int64(Clock.wallNanoseconds) - status.modifiedNanoseconds
      guard bytes.isEmpty, hasAddresses || isPending, age >= 0, age < Int64(Self.writerMilliseconds) * 1_000_000 else {
        return false
      }
    }
    if !writerTimer.isSet { writerTimer.set(milliseconds: Self.writerMilliseconds) }
    return true
  }

  private var hasAddresses: Bool { source?.current.endpoints.isEmpty == false }
  private var isPending: Bool { source?.current == .pending }

  private func report(_ problem: String) {
    writingSince = nil
    let text = "\(location.path): \(problem)"
    endpoints.sourceFailure = text
    source?.fail(text)
    guard loggedProblem != text else { return }
    loggedProblem = text
    let kept = hasAddresses ? "the last good endpoints stay" : "no endpoints"
    namer.log.warning("\(text); \(kept)")
  }
}
