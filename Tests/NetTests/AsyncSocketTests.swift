import Foundation
import MeshBase
import TestSupport
import Testing

@testable import Net

@Suite struct AsyncSocketTests {
  private static let anyPort = SocketAddress.loopback(port: 0)

  @Test("a large message goes through whole, with a slow reader and small buffers")
  @ControlActor func echoes() async throws {
    let message = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let listener = try AsyncListener(on: Self.anyPort) { socket, _ in
      while let bytes = try? await socket.read(max: 50_000), !bytes.isEmpty { try? await socket.write(bytes) }
      socket.close()
    }
    let socket = try await AsyncSocket.connect(to: listener.address!)
    let writer = Task { @ControlActor in
      try await socket.write(message)
      socket.shutdownWrite()
    }
    var received: [UInt8] = []
    while true {
      let bytes = try await socket.read(max: 10_000)
      if bytes.isEmpty { break }
      received += bytes
    }
    try await writer.value
    #expect(received == message)
    socket.close()
    listener.close()
  }

  @Test(
    "what is not urgent goes through whole and in order, also where no processor is idle", arguments: [false, true])
  @ControlActor func idly(isBusy: Bool) async throws {
    let message = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let listener = try AsyncListener(on: Self.anyPort) { socket, _ in
      for start in stride(from: 0, to: message.count, by: 300_000) {
        try? await socket.write(Array(message[start..<start + 300_000]), isUrgent: false)
      }
      socket.close()
    }
    let busy = Task { @ControlActor in
      await IdleThread.shared.run(patienceMilliseconds: 60_000) { if isBusy { usleep(200_000) } }
    }
    await Task.yield()
    let socket = try await AsyncSocket.connect(to: listener.address!)
    var received: [UInt8] = []
    while case let bytes = try await socket.read(max: 10_000), !bytes.isEmpty { received += bytes }
    #expect(received == message)
    _ = await busy.value
    listener.close()
  }

  @Test("what is not urgent waits for a reader as slow as can be, and misses no sign that there is room again")
  @ControlActor func idlyBlocked() async throws {
    let size = 40_000_000
    let listener = try AsyncListener(on: Self.anyPort) { socket, _ in
      socket.setDeadline(Clock.now.advanced(byMilliseconds: patience(30_000)))
      for _ in 0..<40 { try? await socket.write(Array(repeating: 7, count: size / 40), isUrgent: false) }
      socket.close()
    }
    let port = listener.address!.port
    let received = Locked<Int?>(nil)
    Net.Thread.start(name: "reader") {
      guard let file = try? Socket.connect(to: .loopback(port: port)).release() else {
        return received.withLock { $0 = -1 }
      }
      _ = fcntl(file, F_SETFL, 0)
      var (count, buffer) = (0, [UInt8](repeating: 0, count: 300_000))
      // Much at a time, so that each read makes room and an edge.
      while case let more = recv(file, &buffer, buffer.count, Int32(MSG_WAITALL)), more > 0 { count += more }
      close(file)
      let all = count
      received.withLock { $0 = all }
    }
    #expect(await eventually(withinMilliseconds: 40_000) { received.withLock { $0 } == size })
    listener.close()
  }

  @Test("what is not urgent ends with its socket")
  @ControlActor func idlyClosed() async throws {
    let codes = Locked<[Int32]>([])
    let listener = try AsyncListener(on: Self.anyPort) { socket, _ in
      Task { @ControlActor in
        try await ControlActor.sleep(milliseconds: 30)
        socket.close()
      }
      do {
        // Nobody reads it.
        while true { try await socket.write(Array(repeating: 0, count: 1 << 20), isUrgent: false) }
      } catch let error as SystemError {
        codes.withLock { $0.append(error.code) }
      } catch {}
    }
    let socket = try await AsyncSocket.connect(to: listener.address!)
    #expect(await eventually { codes.withLock { $0 } == [ECANCELED] })
    // The connection has ended although another thread had a descriptor of it.
    while case let bytes = try await socket.read(max: 1 << 20), !bytes.isEmpty {}
    listener.close()
  }

  @Test("reading past the deadline, after closing or when cancelled throws")
  @ControlActor func ends() async throws {
    let listener = try AsyncListener(on: Self.anyPort) { socket, _ in
      _ = try? await socket.read()
    }
    func code(_ body: @ControlActor (AsyncSocket) async throws -> Void) async throws -> Int32? {
      let socket = try await AsyncSocket.connect(to: listener.address!)
      do {
        try await body(socket)
        return nil
      } catch let error as SystemError {
        return error.code
      }
    }
    let late = try await code { socket in
      socket.setDeadline(Clock.now.advanced(byMilliseconds: 20))
      _ = try await socket.read()
    }
    #expect(late == ETIMEDOUT)
    let closed = try await code { socket in
      Task { @ControlActor in socket.close() }
      _ = try await socket.read()
    }
    #expect(closed == ECANCELED)
    let cancelled = try await code { socket in
      let reader = Task { @ControlActor in try await socket.read() }
      await Task.yield()
      reader.cancel()
      _ = try await reader.value
    }
    #expect(cancelled == ECANCELED)
    listener.close()
  }

  @Test("connecting to a closed port is refused")
  @ControlActor func refused() async throws {
    let listener = try AsyncListener(on: Self.anyPort) { _, _ in }
    let address = listener.address!
    listener.close()
    try await ControlActor.sleep(milliseconds: 5)
    await #expect { _ = try await AsyncSocket.connect(to: address) } throws: {
      ($0 as? SystemError)?.code == ECONNREFUSED
    }
  }

  @Test("a Unix socket serves its owner, replaces a dead one and spares a live one")
  @ControlActor func unixSocket() async throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("s-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let first = try AsyncListener(unixSocket: path) { socket, _ in try? await socket.write([1, 2, 3]) }
    #expect(throws: SystemError.self) { _ = try AsyncListener(unixSocket: path) { _, _ in } }
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    #expect(try await AsyncSocket.connect(toUnixSocket: path).read() == [1, 2, 3])
    first.close()
    let second = try AsyncListener(unixSocket: path) { socket, _ in try? await socket.write([4]) }
    #expect(try await AsyncSocket.connect(toUnixSocket: path).read() == [4])
    second.close()
  }
}
