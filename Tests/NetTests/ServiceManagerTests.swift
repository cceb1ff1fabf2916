import Foundation
import Testing

@testable import Net

@Suite("telling a service manager")
struct ServiceManagerTests {
  @Test("notices are lines of systemd's protocol")
  func text() {
    #expect(ServiceManager.text([.ready, .status("serving")]) == "READY=1\nSTATUS=serving")
    #expect(
      ServiceManager.text([.reloading(monotonicMicroseconds: 123_456)]) == "RELOADING=1\nMONOTONIC_USEC=123456")
    #expect(ServiceManager.text([.mainProcess(4_711), .ready]) == "MAINPID=4711\nREADY=1")
    #expect(ServiceManager.text([.stopping]) == "STOPPING=1")
    // A line break would begin a notice of its own.
    #expect(ServiceManager.text([.status("a\nMAINPID=1\r\nb")]) == "STATUS=a MAINPID=1 b")
  }

  @Test("there is nobody to tell without a place to tell it to")
  func nobody() {
    #expect(ServiceManager(path: nil) == nil && ServiceManager(path: "") == nil && ServiceManager(path: "@") == nil)
    #expect(ServiceManager(path: "vsock:2:1234") == nil)
    #expect(ServiceManager(path: "/nowhere/notify")?.tell(.ready) == false)
    #expect(ServiceManager(path: "/" + String(repeating: "x", count: 200))?.tell(.ready) == false)
  }

  @Test("each notice is one datagram, to a file or an abstract name", arguments: ["/tmp/meshrouter-notify-", "@mesh-"])
  func datagrams(_ start: String) throws {
    let path = start + "\(getpid())"
    let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
    defer {
      close(receiver)
      unlink(path)
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var name = Array(path.utf8)
    if name[0] == 0x40 { name[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let length = socklen_t(2 + name.count)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(receiver, $0, length) }
    }
    try #require(result == 0)
    let manager = try #require(ServiceManager(path: path))
    #expect(manager.tell(.ready, .status("one")))
    #expect(manager.tell(.stopping))
    var bytes = [UInt8](repeating: 0, count: 256)
    for wanted in ["READY=1\nSTATUS=one", "STOPPING=1"] {
      let count = recv(receiver, &bytes, bytes.count, 0)
      #expect(String(decoding: bytes.prefix(max(0, count)), as: UTF8.self) == wanted)
    }
  }
}
