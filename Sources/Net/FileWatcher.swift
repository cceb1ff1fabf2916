import CMeshShims
import Glibc
import MeshBase

/// What happened to a name in a watched directory.
public struct FileEvent: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Something was written to it; a writer may still be at work.
  public static let modified = FileEvent(rawValue: UInt32(IN_MODIFY))
  /// A writer has closed it.
  public static let written = FileEvent(rawValue: UInt32(IN_CLOSE_WRITE))
  /// It appeared under this name: made or linked here, or renamed to it.
  public static let appeared = FileEvent(rawValue: UInt32(IN_CREATE) | UInt32(IN_MOVED_TO))
  /// It is no longer under this name.
  public static let vanished = FileEvent(rawValue: UInt32(IN_DELETE) | UInt32(IN_MOVED_FROM))
  /// The name is empty: the directory itself is gone, or events were lost; look again at all of it.
  public static let directory = FileEvent(
    rawValue: UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) | UInt32(IN_Q_OVERFLOW) | UInt32(IN_IGNORED)
      | UInt32(IN_UNMOUNT))
}

/// Watches directories with inotify and says which names in them changed. For the control thread.
///
/// Reported: creation, completed or in-place writes, renames into or out of the directory, deletion, and loss of the
/// directory itself (name empty). After a queue overflow every watched directory is reported with an empty name:
/// look again at all of it.
@ControlActor
public final class FileWatcher {
  private let channel: WatchChannel

  /// `onChange(directory, name)` runs on the control thread.
  public convenience init(onChange: @escaping @ControlActor (_ directory: String, _ name: String) -> Void) throws {
    try self.init { directory, name, _ in onChange(directory, name) }
  }

  /// The same, and told what happened.
  public init(
    onEvent: @escaping @ControlActor (_ directory: String, _ name: String, _ event: FileEvent) -> Void
  ) throws {
    let raw = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
    guard raw >= 0 else { throw SystemError("inotify_init1") }
    channel = WatchChannel(loop: ControlThread.shared.loop, descriptor: Descriptor(owning: raw), onEvent: onEvent)
    try channel.register(edges: EPOLLIN.rawValue | EPOLLET.rawValue)
  }

  /// Idempotent. Throws if the directory does not exist (then watch its parent) or the user's watch limit is reached.
  public func watch(directory: String) throws(SystemError) {
    let mask =
      UInt32(IN_CREATE) | UInt32(IN_CLOSE_WRITE) | UInt32(IN_MODIFY) | UInt32(IN_MOVED_FROM) | UInt32(IN_MOVED_TO)
      | UInt32(IN_DELETE) | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF) | UInt32(IN_ONLYDIR)
    let id = inotify_add_watch(channel.descriptor, directory, mask)
    guard id >= 0 else { throw SystemError("inotify_add_watch", subject: directory) }
    channel.directories[id] = directory
  }

  public func unwatch(directory: String) {
    for (id, path) in channel.directories where path == directory {
      inotify_rm_watch(channel.descriptor, id)
      channel.directories[id] = nil
    }
  }

  public func close() { channel.closeChannel() }
}

/// Confined to the control thread.
private final class WatchChannel: Channel, @unchecked Sendable {
  var directories: [Int32: String] = [:]
  private let onEvent: @ControlActor (String, String, FileEvent) -> Void

  init(
    loop: EventLoop, descriptor: consuming Descriptor,
    onEvent: @escaping @ControlActor (String, String, FileEvent) -> Void
  ) {
    self.onEvent = onEvent
    super.init(loop: loop, descriptor: descriptor)
  }

  override func ready(_ events: ReadyEvents) {
    var changes: [(String, String, FileEvent)] = []
    withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 8) { buffer in
      while true {
        let count = read(descriptor, buffer.baseAddress, buffer.count)
        if count <= 0 { break }
        var offset = 0
        while offset + MemoryLayout<inotify_event>.size <= count {
          let event = buffer.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
          let nameStart = offset + MemoryLayout<inotify_event>.size
          let name = buffer[nameStart..<nameStart + Int(event.len)].prefix { $0 != 0 }
          offset = nameStart + Int(event.len)
          if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
            changes += directories.values.map { ($0, "", .directory) }
          } else if let directory = directories[event.wd] {
            if event.mask & UInt32(IN_IGNORED) != 0 { directories[event.wd] = nil }
            changes.append((directory, String(decoding: name, as: UTF8.self), FileEvent(rawValue: event.mask)))
          }
        }
      }
    }
    ControlActor.assumeIsolated {
      for (directory, name, event) in changes { onEvent(directory, name, event) }
    }
  }
}
