import CMeshShims
import Glibc
import MeshBase

/// Watches directories with inotify and says which names in them changed. For the control thread.
///
/// Reported: creation, completed or in-place writes, renames into or out of the directory, deletion, and loss of the
/// directory itself (name empty). After a queue overflow every watched directory is reported with an empty name:
/// look again at all of it.
@ControlActor
public final class FileWatcher {
  private let channel: WatchChannel

  /// `onChange(directory, name)` runs on the control thread.
  public init(onChange: @escaping @ControlActor (_ directory: String, _ name: String) -> Void) throws {
    let raw = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
    guard raw >= 0 else { throw SystemError("inotify_init1") }
    channel = WatchChannel(loop: ControlThread.shared.loop, descriptor: Descriptor(owning: raw), onChange: onChange)
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
  private let onChange: @ControlActor (String, String) -> Void

  init(loop: EventLoop, descriptor: consuming Descriptor, onChange: @escaping @ControlActor (String, String) -> Void) {
    self.onChange = onChange
    super.init(loop: loop, descriptor: descriptor)
  }

  override func ready(_ events: ReadyEvents) {
    var changes: [(String, String)] = []
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
            changes += directories.values.map { ($0, "") }
          } else if let directory = directories[event.wd] {
            if event.mask & UInt32(IN_IGNORED) != 0 { directories[event.wd] = nil }
            changes.append((directory, String(decoding: name, as: UTF8.self)))
          }
        }
      }
    }
    ControlActor.assumeIsolated {
      for (directory, name) in changes { onChange(directory, name) }
    }
  }
}
