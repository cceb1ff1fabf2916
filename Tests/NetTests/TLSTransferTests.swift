import COpenSSL
import Foundation
import MeshBase
import Testing

@testable import Net

@Suite struct TLSTransferTests {
  private let files = TLSTestFiles.shared

  private func pair(_ version: TLSVersion = .v13) throws -> TLSPair {
    var server = TLSServerContext.Options(certificates: [files.files("web")])
    server.versions = [version]
    var client = TLSClientContext.Options()
    client.trust = .files([files.ca])
    let pair = TLSPair(try TLSClientContext(client), try TLSServerContext(server))
    #expect(pair.handshake() == (.done, .done))
    return pair
  }

  @Test("key updates are followed; far more of them than data end the session", arguments: [false, true])
  func keyUpdates(asksBack: Bool) throws {
    let kind = asksBack ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED
    func update(_ session: TLSSession) -> Bool {
      session.workspace.current = session
      return SSL_key_update(session.ssl, kind) == 1 && SSL_do_handshake(session.ssl) == 1
    }
    // One for so much data is what they are for.
    let honest = try pair()
    let data = String(repeating: "d", count: 65_000)
    for _ in 0..<200 {
      #expect(update(honest.client))
      try #require(TLSPair.send(honest.client, data) == data.utf8.count)
      var count = 0
      while count < data.utf8.count {
        let (result, bytes) = TLSPair.receive(honest.server, max: 16_384)
        try #require(result > 0 || Socket.wouldBlock(result), "\(result) \(honest.server.failureText)")
        count += bytes.count
      }
      _ = honest.server.flush()
      _ = TLSPair.receive(honest.client)
    }
    let flood = try pair()
    var result = -Int(EAGAIN)
    var sent = 0
    while Socket.wouldBlock(result), sent < 1_000 {
      guard update(flood.client) else { break }
      sent += 1
      result = TLSPair.receive(flood.server).result
      _ = TLSPair.receive(flood.client)
    }
    #expect(result == -Int(EPROTO))
    #expect(flood.server.failure == .tooManyKeyUpdates)
    #expect((10...100).contains(sent))
    // Nothing of it sticks to the thread.
    let next = try pair()
    #expect(TLSPair.send(next.client, "x") == 1 && TLSPair.receive(next.server).bytes == [0x78])
  }

  @Test("sessions at rest are parked, and go on where they were", arguments: TLSVersion.allCases)
  func parking(version: TLSVersion) throws {
    let pair = try pair(version)
    for round in 0..<3 {
      pair.rest()
      #expect(pair.client.isParked == OpenSSLMemory.hasSlots)
      #expect(pair.server.isParked == OpenSSLMemory.hasSlots)
      #expect(TLSPair.send(pair.client, "question \(round)") > 0)
      #expect(!pair.client.isParked)
      #expect(pair.server.isParked == OpenSSLMemory.hasSlots)
      #expect(TLSPair.receive(pair.server).bytes == Array("question \(round)".utf8))
      #expect(!pair.server.isParked)
      #expect(TLSPair.send(pair.server, "answer") == 6)
      #expect(TLSPair.receive(pair.client).bytes == Array("answer".utf8))
    }
    pair.rest()
    #expect(pair.server.cipher == pair.client.cipher)
    pair.rest()
    #expect(pair.client.shutdown() == 0)
    #expect(TLSPair.receive(pair.server).result == 0)
    #expect(!pair.server.wasTruncated)
    pair.rest()
  }

  @Test("a session that is in use, or in its handshake, is not parked")
  func notParked() throws {
    let pair = try pair()
    pair.workspace.look()
    #expect(TLSPair.send(pair.client, "x") == 1)
    pair.workspace.look()
    #expect(!pair.client.isParked)
    #expect(pair.server.isParked == OpenSSLMemory.hasSlots)
    var server = TLSServerContext.Options(certificates: [files.files("web")])
    server.versions = [.v13]
    var client = TLSClientContext.Options()
    client.trust = .files([files.ca])
    let young = TLSPair(try TLSClientContext(client), try TLSServerContext(server))
    #expect(young.client.handshake() == .wantsMore)
    young.rest()
    #expect(!young.client.isParked && !young.server.isParked)
    #expect(young.handshake() == (.done, .done))
  }

  @Test("a round looks at each session, however many come and go meanwhile")
  func parkingRounds() throws {
    var pairs: [TLSPair] = []
    let workspace = TLSWorkspace()
    for _ in 0..<20 {
      var server = TLSServerContext.Options(certificates: [files.files("web")])
      server.versions = [.v13]
      var client = TLSClientContext.Options()
      client.trust = .files([files.ca])
      let pair = TLSPair(try TLSClientContext(client), try TLSServerContext(server), workspace: workspace)
      #expect(pair.handshake() == (.done, .done))
      pairs.append(pair)
    }
    workspace.look()
    workspace.awake.beginRound()
    while workspace.awake.parkIdle(looks: 7, parks: 5) { pairs.remove(at: pairs.count / 2) }
    #expect(pairs.allSatisfy { $0.client.isParked == OpenSSLMemory.hasSlots })
    for pair in pairs { #expect(TLSPair.send(pair.client, "x") == 1 && TLSPair.receive(pair.server).bytes == [0x78]) }
  }

  @Test(
    "bytes arrive whole and in order, whatever the pieces and however full the kernel is",
    arguments: TLSVersion.allCases)
  func pieces(version: TLSVersion) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededRandom(seed: seed)
    for _ in 0..<6 {
      let pair = try pair(version)
      let total = 1 + Int(random.next() % 600_000)
      let message = (0..<total).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 8) }
      for (from, to) in [(pair.client, pair.server), (pair.server, pair.client)] {
        var sent = 0
        var received: [UInt8] = []
        while received.count < total {
          if random.next() % 16 == 0 { pair.rest() }
          if sent < total {
            // The first piece may be small, and the next offer smaller than the one that was refused.
            let first = min(total - sent, 1 + Int(random.next() % 100_000))
            let second = min(total - sent - first, Int(random.next() % 50_000))
            let count = message.withUnsafeBytes { bytes in
              from.send(
                UnsafeRawBufferPointer(rebasing: bytes[sent..<(sent + first)]),
                UnsafeRawBufferPointer(rebasing: bytes[(sent + first)..<(sent + first + second)]))
            }
            if count > 0 { sent += count }
            try #require(count > 0 || Socket.wouldBlock(count), "seed \(seed): \(count) \(from.failureText)")
            // Told to wait only when the kernel is full.
            #expect(count == first + second || from.hasUnsent || count < 0, "seed \(seed)")
          }
          if sent == total || random.next() % 3 != 0 {
            repeat {
              let (result, bytes) = TLSPair.receive(to, max: 1 + Int(random.next() % 70_000))
              received += bytes
              try #require(result > 0 || Socket.wouldBlock(result), "seed \(seed): \(result) \(to.failureText)")
            } while to.hasPending
          }
        }
        #expect(received == message, "seed \(seed)")
        #expect(!from.hasUnsent)
      }
    }
  }

  @Test("two small pieces share a record")
  func joins() throws {
    let pair = try pair()
    let head = Array("HTTP/1.1 200 OK\r\n\r\n".utf8)
    let body = Array("hello".utf8)
    let count = head.withUnsafeBytes { head in body.withUnsafeBytes { pair.server.send(head, $0) } }
    #expect(count == head.count + body.count)
    var raw = [UInt8](repeating: 0, count: 4_096)
    // A ticket, then one record of 5 + text + type + tag bytes.
    _ = TLSPair.receive(pair.client)
    _ = head.withUnsafeBytes { head in body.withUnsafeBytes { pair.server.send(head, $0) } }
    let length = raw.withUnsafeMutableBytes { Socket.receive(pair.descriptors.client, into: $0) }
    #expect(length == 5 + head.count + body.count + 1 + 16)
  }

  @Test("a clean end is told from a torn one")
  func ends() throws {
    let clean = try pair()
    _ = TLSPair.send(clean.client, "bye")
    #expect(clean.client.shutdown() == 0)
    clean.closeClient()
    #expect(TLSPair.receive(clean.server).bytes == Array("bye".utf8))
    #expect(TLSPair.receive(clean.server).result == 0)
    #expect(!clean.server.wasTruncated)

    let torn = try pair()
    _ = TLSPair.receive(torn.client)  // The ticket: unread, it would turn the close into a reset.
    _ = TLSPair.send(torn.client, "half a messa")
    torn.closeClient()
    #expect(TLSPair.receive(torn.server, max: 4).bytes == Array("half".utf8))
    #expect(torn.server.hasPending)
    #expect(TLSPair.receive(torn.server).bytes == Array(" a messa".utf8))
    #expect(TLSPair.receive(torn.server).result == 0)
    #expect(torn.server.wasTruncated)
    #expect(torn.server.failure == nil)
  }

  @Test("half-closed: what the peer still sends arrives")
  func halfClosed() throws {
    let pair = try pair()
    #expect(pair.client.shutdown() == 0)
    #expect(TLSPair.receive(pair.server).result == 0)
    #expect(TLSPair.send(pair.server, "last words") == 10)
    #expect(TLSPair.receive(pair.client).bytes == Array("last words".utf8))
  }

  @Test("a damaged record ends the session with an error of its own")
  func damaged() throws {
    let pair = try pair()
    let record: [UInt8] = [0x17, 3, 3, 0, 20] + [UInt8](repeating: 7, count: 20)
    _ = record.withUnsafeBytes { Socket.send(pair.descriptors.client, $0) }
    #expect(TLSPair.receive(pair.server).result == -Int(EPROTO))
    #expect(pair.server.failure == .other)
    #expect(pair.server.failureText.contains("bad record mac"))
    #expect(TLSPair.send(pair.server, "x") == -Int(EPROTO))
    #expect(TLSPair.receive(pair.client).result == -Int(EPROTO))
    #expect(pair.client.failure == .alert(20))
  }

  @Test("writing to a closed connection is an error, not a signal")
  func noSignal() throws {
    let pair = try pair()
    pair.closeClient()
    _ = TLSPair.send(pair.server, "x")
    let result = TLSPair.send(pair.server, "y")
    #expect(result == -Int(EPIPE) || result == -Int(EPROTO))
  }
}
