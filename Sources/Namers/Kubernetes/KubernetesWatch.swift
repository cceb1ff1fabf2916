import MeshBase
import Net

/// How watches of the Kubernetes API are kept.
struct KubernetesWatchOptions: Sendable {
  /// The server ends a watch after this, so that many routers' watches spread over its replicas again.
  var watchSeconds: ClosedRange<UInt64> = 240...300
  /// Without a word for so long, a watch is begun anew where it was: a connection that is lost in silence would hide
  /// all changes. Servers say something once a minute.
  var silenceMilliseconds: UInt64 = 90_000
  var delay = ReconnectDelay()
}

/// Follows a list of objects of the Kubernetes API: lists them once, then watches from that version on.
///
/// A watch that ends, as each does after some minutes, goes on where it was; only a server that does not know that
/// version any more (410) is asked for the list again. A failure keeps what was known.
@ControlActor
final class KubernetesWatch<Object: KubernetesObject> {
  /// By name; `nil`: not answered yet.
  private(set) var objects: [String: Object]?
  /// Why `objects` may be out of date.
  private(set) var failure: String?

  private let path: String
  private let selector: String
  private let options: KubernetesWatchOptions
  private let onChange: @ControlActor () -> Void
  private var task: Task<Void, Never>?
  /// `nil`: to be listed.
  private var version: String?
  /// What the next list must not be older than: 0, anything that a server has at hand.
  private var listVersion = "0"
  private var delay: ReconnectDelay
  private var random = SeededRandom(seed: .random(in: 0 ... .max))
  private var line: [UInt8] = []
  private static var lineBytesMax: Int { 16 << 20 }

  /// - Parameters:
  ///   - selector: part of a query, encoded.
  ///   - onChange: called when `objects` or `failure` has changed.
  init(
    _ path: String, selector: String, client: ClusterClient, options: KubernetesWatchOptions,
    onChange: @escaping @ControlActor () -> Void
  ) {
    self.path = path
    self.selector = selector
    self.options = options
    self.onChange = onChange
    delay = options.delay
    task = Task { @ControlActor [weak self] in
      while !Task.isCancelled {
        guard let request = self?.nextRequest() else { return }
        let began = Clock.now
        var end: ClusterError?
        do throws(ClusterError) {
          if request.isWatch {
            let stream = try await client.open(request.request)
            if stream.status == 410 {
              stream.close()
              self?.expired()
            } else {
              guard (200..<300).contains(stream.status) else { throw stream.refusal(of: request.request) }
              stream.isEndless = true
              stream.pieceMilliseconds = request.silenceMilliseconds
              self?.watchIsOpen()
              while let piece = try await stream.next() {
                guard let self, try self.take(piece) else { break }
              }
              stream.close()
            }
          } else {
            let response = try await client.request(request.request)
            if response.status == 410 {
              self?.expired()
            } else {
              try self?.listed(response.requireSuccess(request.request), request.request)
            }
          }
        } catch {
          end = error
        }
        guard !Task.isCancelled, let wait = self?.ended(request.isWatch, end, since: began) else { return }
        if wait > 0 { try? await ControlActor.sleep(milliseconds: wait) }
      }
    }
  }

  isolated deinit { task?.cancel() }

  private struct Request {
    var request: ClusterRequest
    var isWatch: Bool
    var silenceMilliseconds: UInt64
  }

  private func nextRequest() -> Request {
    var query = selector.isEmpty ? [] : [selector]
    if let version {
      let seconds = UInt64.random(in: options.watchSeconds, using: &random)
      query += [
        "watch=true", "allowWatchBookmarks=true", "timeoutSeconds=\(seconds)",
        "resourceVersion=" + ControlQuery.encodeComponent(version),
      ]
    } else if !listVersion.isEmpty {
      query.append("resourceVersion=" + ControlQuery.encodeComponent(listVersion))
    }
    let whole = query.isEmpty ? path : path + "?" + query.joined(separator: "&")
    return Request(
      request: ClusterRequest(whole, headers: ControlHeaders(["Accept": "application/json"])),
      isWatch: version != nil, silenceMilliseconds: options.silenceMilliseconds)
  }

  // MARK: Answers

  private func listed(_ response: ClusterResponse, _ request: ClusterRequest) throws(ClusterError) {
    do throws(JSONError) {
      var reader = JSONReader(response.body.span)
      var found: [String: Object] = [:]
      var list = KubernetesMetadata()
      if try reader.beginObject() {
        while try reader.nextKey() {
          if reader.isKey("metadata") {
            list = try KubernetesMetadata(&reader)
          } else if reader.isKey("items"), try reader.beginArray() {
            while try reader.nextElement() {
              let object = try Object(&reader)
              found[object.metadata.name] = object
            }
          }
        }
      }
      try reader.end()
      guard !list.resourceVersion.isEmpty else {
        throw JSONError(.expected("a list with metadata.resourceVersion"), at: response.body.count)
      }
      version = list.resourceVersion
      replace(found)
    } catch {
      throw ClusterError(.malformed, "GET \(response.host)\(request.path): \(error)")
    }
  }

  private func watchIsOpen() {
    line = []
    recovered()
  }

  private func recovered() {
    guard failure != nil else { return }
    failure = nil
    onChange()
  }

  /// The server has forgotten the version; what it has now may be newer only.
  private func expired() {
    version = nil
    listVersion = ""
  }

  private func replace(_ found: [String: Object]) {
    let isNews = objects != found || failure != nil
    objects = found
    failure = nil
    if isNews { onChange() }
  }

  /// Handles the whole lines, each an event. False: the watch is over.
  private func take(_ piece: [UInt8]) throws(ClusterError) -> Bool {
    line += piece
    guard line.count <= Self.lineBytesMax else {
      throw ClusterError(.tooLarge, "GET \(path): an event is larger than \(Self.lineBytesMax) bytes")
    }
    var next = objects ?? [:]
    var goesOn = true
    var start = 0
    do throws(JSONError) {
      while goesOn, let end = line[start...].firstIndex(of: UInt8(ascii: "\n")) {
        let event = Array(line[start..<end])
        start = end + 1
        if event.contains(where: { $0 > 0x20 }) { goesOn = try handle(event, &next) }
      }
    } catch {
      version = nil
      throw ClusterError(.malformed, "GET \(path): an event of the watch: \(error)")
    }
    line.removeFirst(start)
    replace(next)
    return goesOn
  }

  private func handle(_ event: [UInt8], _ objects: inout [String: Object]) throws(JSONError) -> Bool {
    var type = ""
    var place = 0..<0
    var reader = JSONReader(event.span)
    if try reader.beginObject() {
      while try reader.nextKey() {
        if reader.isKey("type") {
          type = try reader.string() ?? ""
        } else if reader.isKey("object") {
          place = try reader.skip()
        }
      }
    }
    try reader.end()
    var inner = JSONReader(event.span.extracting(place))
    switch type {
    case "ADDED", "MODIFIED", "DELETED":
      let object = try Object(&inner)
      objects[object.metadata.name] = type == "DELETED" ? nil : object
      if !object.metadata.resourceVersion.isEmpty { version = object.metadata.resourceVersion }
    case "BOOKMARK":
      let object = try Object(&inner)
      if !object.metadata.resourceVersion.isEmpty { version = object.metadata.resourceVersion }
    case "ERROR":
      // 410, or what only a new list can mend.
      expired()
      return false
    default: break
    }
    return true
  }

  /// Milliseconds until the next request.
  private func ended(_ wasWatch: Bool, _ error: ClusterError?, since began: MonotonicInstant) -> UInt64 {
    let lasted = Clock.now.nanoseconds(since: began) / 1_000_000
    guard let error else {
      // A list is followed by its watch. A watch that ends at once, again and again, must not become a busy loop.
      if !wasWatch, version != nil { return 0 }
      delay.ended(afterMilliseconds: lasted)
      return delay.next(using: &random)
    }
    if wasWatch, error.cause == .timeout || error.cause == .unreachable, lasted > options.silenceMilliseconds / 2 {
      // It was good for a while: the next one usually is, too.
      delay.reset()
      return UInt64(random.below(1_000))
    }
    delay.ended(afterMilliseconds: lasted)
    failure = error.description
    onChange()
    return delay.next(using: &random)
  }
}
