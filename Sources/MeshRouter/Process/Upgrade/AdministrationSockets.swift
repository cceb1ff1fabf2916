import Config
import MeshBase
import Net

/// What the admin server listens on, bound before anything is in force, so that a port which is taken changes nothing.
@ControlActor
struct AdministrationSockets {
  let address: ListeningSocket?
  /// `nil`: none is configured.
  let unix: ListeningSocket?

  /// What the process before this one calls the address, where the kernel chose its port.
  static let name = "admin"

  init(_ settings: Configuration.Admin, _ inheritance: Inheritance?) throws {
    guard let wanted = SocketAddress(ip: settings.ip, port: UInt16(settings.port)) else {
      throw SystemError.notAnAddress("\(settings.ip):\(settings.port)")
    }
    let place = settings.port == 0 ? inheritance?.ports[Self.name] : wanted
    if let place, let inherited = Self.take(.address(place), inheritance) {
      address = inherited
    } else {
      address = ListeningSocket(try Socket.listen(on: wanted, backlog: ControlHTTPServer.backlog))
    }
    guard let path = settings.socketPath else {
      unix = nil
      return
    }
    if let inherited = Self.take(.unixSocket(path), inheritance) {
      unix = inherited
    } else {
      unix = ListeningSocket(try Socket.listen(unixSocket: path, backlog: ControlHTTPServer.backlog))
    }
  }

  /// One is enough; more than one is nothing that systemd or a router gives.
  private static func take(_ place: ListeningPlace, _ inheritance: Inheritance?) -> ListeningSocket? {
    let sockets = (inheritance?.sockets.take(place) ?? []).map { ListeningSocket(Descriptor(owning: $0)) }
    return sockets.first
  }
}
