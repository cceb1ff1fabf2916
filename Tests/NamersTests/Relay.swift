import MeshBase
import Net

/// Passes connections on to a port of this host; can be cut, or hold everything back.
@ControlActor
final class Relay {
  private enum Mode { case open, held, cut }
  private let target: UInt16
  private var listener: AsyncListener?
  private var sockets: [AsyncSocket] = []
  private var mode = Mode.open
  private(set) var port: UInt16 = 0

  init(to target: UInt16) throws {
    self.target = target
    let listener = try AsyncListener(on: .loopback(port: 0)) { [weak self] socket, _ in await self?.serve(socket) }
    self.listener = listener
    port = listener.address?.port ?? 0
  }

  isolated deinit {
    listener?.close()
    for socket in sockets { socket.close() }
  }

  /// Ends the connections, and refuses new ones.
  func cut() {
    mode = .cut
    for socket in sockets { socket.close() }
    sockets = []
  }

  /// Keeps the connections and passes nothing on.
  func hold() { mode = .held }

  func mend() {
    if mode == .held { cut() }
    mode = .open
  }

  private func serve(_ caller: AsyncSocket) async {
    guard mode != .cut, let server = try? await AsyncSocket.connect(to: .loopback(port: target)) else {
      return caller.close()
    }
    sockets += [caller, server]
    let back = Task { @ControlActor in await pass(server, caller) }
    await pass(caller, server)
    await back.value
  }

  private func pass(_ from: AsyncSocket, _ to: AsyncSocket) async {
    while let bytes = try? await from.read(), !bytes.isEmpty {
      while mode == .held { try? await ControlActor.sleep(milliseconds: 10) }
      guard (try? await to.write(bytes)) != nil else { break }
    }
    to.close()
    from.close()
  }
}
