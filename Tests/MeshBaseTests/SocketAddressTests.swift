import MeshBase
import Testing

@Suite struct SocketAddressTests {
  @Test(
    "a printed address is read again",
    arguments: [
      "0.0.0.0:0", "127.0.0.1:80", "255.255.255.255:65535", "[::]:1", "[::1]:80", "[2001:db8::1]:443",
      "[fe80::1:0:0:2]:9", "[1:2:3:4:5:6:7:8]:1", "[1:0:0:4::8]:1",
    ])
  func roundTrip(text: String) throws {
    #expect(try #require(SocketAddress(text)).description == text)
  }

  @Test("random IPv6 addresses survive printing", arguments: UInt64(1)...200)
  func law(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    // Mostly zero groups, so that runs of them come in all places.
    func half() -> UInt64 {
      (0..<4).reduce(0) { word, _ in word << 16 | (random.below(2) == 0 ? 0 : random.next() & 0xffff) }
    }
    let address = SocketAddress(ipv6High: half(), low: half(), port: 7)
    #expect(SocketAddress(address.description) == address, "seed \(seed): \(address)")
  }

  @Test("the dotted tail of IPv6 is read")
  func dottedTail() throws {
    let address = try #require(SocketAddress(ip: "64:ff9b::192.0.2.33", port: 1))
    #expect(address.low == 0xc000_0221)
  }

  @Test(
    "what is no literal address is refused",
    arguments: [
      "", ":80", "1.2.3:80", "1.2.3.256:80", "01.2.3.4:80", "1.2.3.4", "1.2.3.4:65536", "[::1]", "::1:80",
      "[1::2::3]:1",
      "[12345::]:1", "[1:2:3:4:5:6:7]:1", "localhost:80",
    ])
  func refused(text: String) { #expect(SocketAddress(text) == nil) }
}
