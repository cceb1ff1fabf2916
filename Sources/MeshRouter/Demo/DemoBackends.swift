import HTTP
import MeshBase
import Net

/// The demo's services, all on one thread of their own, on loopback ports the kernel chose.
///
/// They run until the process ends and touch neither the workers nor the control thread.
enum DemoBackends {
  static func start(_ services: [DemoService] = DemoService.all) throws -> [DemoInstance] {
    let started = Promise<Result<[DemoInstance], SystemError>>()
    Thread.start(name: "demo") {
      do throws(SystemError) {
        let loop = try EventLoop()
        var instances: [DemoInstance] = []
        for service in services {
          for _ in 0..<service.instances { instances.append(try DemoListener.open(service, on: loop)) }
        }
        started.fulfil(.success(instances))
        loop.run()
      } catch {
        started.fulfil(.failure(error))
      }
    }
    return try started.wait().get()
  }
}

/// Accepts the connections of one instance.
private final class DemoListener: Channel {
  private let instance: DemoInstance

  static func open(_ service: DemoService, on loop: EventLoop) throws(SystemError) -> DemoInstance {
    let descriptor = try Socket.listen(on: .loopback(port: 0))
    guard let address = Socket.localAddress(descriptor.raw) else { throw SystemError("getsockname") }
    let instance = DemoInstance(service: service, address: address)
    try DemoListener(loop: loop, descriptor: descriptor, instance: instance).register()
    return instance
  }

  private init(loop: EventLoop, descriptor: consuming Descriptor, instance: DemoInstance) {
    self.instance = instance
    super.init(loop: loop, descriptor: descriptor)
  }

  override func ready(_ events: ReadyEvents) {
    while true {
      let (result, _) = Socket.accept(descriptor)
      // Whatever the reason, the next edge tries again.
      if result < 0 { return }
      let connection = DemoConnection(loop: loop, descriptor: Descriptor(owning: Int32(result)), instance: instance)
      try? connection.register()
    }
  }
}
