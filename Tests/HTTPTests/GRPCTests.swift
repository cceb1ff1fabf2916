import HTTP
import MeshBase
import Testing

@Suite("gRPC fields")
struct GRPCTests {
  @Test(
    "a content type is gRPC by its first word",
    arguments: [
      ("application/grpc", true), ("application/grpc+proto", true), ("Application/GRPC; x=y", true),
      ("application/grpc ;x", true), ("application/grpc-web", false), ("application/grp", false),
      ("application/json", false), ("", false), ("application/grpcx", false),
    ])
  func contentType(_ item: (String, Bool)) {
    #expect(bytes(item.0).withUnsafeBytes { GRPC.isGRPC(contentType: $0) } == item.1)
  }

  @Test(
    "a time-out is a number of at most eight digits and a unit",
    arguments: [
      ("1H", 3_600_000_000_000), ("2M", 120_000_000_000), ("3S", 3_000_000_000), ("4m", 4_000_000), ("5u", 5_000),
      ("6n", 6), ("0n", 0), ("99999999H", UInt64.max), ("00000001S", 1_000_000_000),
      ("", nil), ("S", nil), ("1", nil), ("1x", nil), ("123456789n", nil), ("-1S", nil), ("1 S", nil),
    ] as [(String, UInt64?)])
  func timeouts(_ item: (String, UInt64?)) {
    #expect(bytes(item.0).withUnsafeBytes { GRPC.timeout($0) } == item.1)
  }

  @Test("a time-out that is written reads as no less, and little more", arguments: 0..<200)
  func timeoutLaw(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    let wanted = random.next() >> (random.next() % 64)
    let text = written { GRPC.append(timeout: wanted, to: $0) }
    let read = bytes(text).withUnsafeBytes { GRPC.timeout($0) }
    #expect(read.map { $0 >= wanted && Double($0) <= Double(wanted) * 1.0001 + 1 } ?? false, "seed \(seed): \(text)")
  }

  @Test(
    "a message survives, and is visible ASCII on the way",
    arguments: [
      "", "plain", "100% wrong", "line\r\nend", "naïve ☃", "%41", "tab\t",
    ])
  func messages(_ text: String) {
    let coded = written { GRPC.append(message: text, to: $0) }
    #expect(coded.utf8.allSatisfy { $0 >= 0x20 && $0 <= 0x7e })
    #expect(bytes(coded).withUnsafeBytes { GRPC.message($0) } == text)
  }

  @Test("triplets that are none stay")
  func oddMessages() {
    #expect(bytes("50%").withUnsafeBytes { GRPC.message($0) } == "50%")
    #expect(bytes("%zz%4").withUnsafeBytes { GRPC.message($0) } == "%zz%4")
    #expect(written { GRPC.append(message: "\n%é", to: $0) } == "%0A%25%C3%A9")
  }

  @Test(
    "a status is a number",
    arguments: [
      ("0", GRPCStatus.ok), ("14", .unavailable), ("16", .unauthenticated), ("99", GRPCStatus(rawValue: 99)),
      ("", nil), ("00", nil), ("01", nil), ("x", nil), ("256", nil), ("1000", nil), (" 1", nil),
    ] as [(String, GRPCStatus?)])
  func status(_ item: (String, GRPCStatus?)) {
    #expect(bytes(item.0).withUnsafeBytes { GRPCStatus($0) } == item.1)
  }

  @Test("HTTP statuses, resets and the router's own reasons have their gRPC status")
  func mappings() {
    let statuses: [(Int, GRPCStatus)] = [
      (200, .unknown), (400, .internalError), (401, .unauthenticated), (403, .permissionDenied),
      (404, .unimplemented), (429, .unavailable), (500, .unknown), (502, .unavailable), (503, .unavailable),
      (504, .unavailable),
    ]
    for (http, status) in statuses { #expect(GRPCStatus(httpStatus: http) == status) }
    #expect(GRPCStatus(reset: .cancel) == .cancelled && GRPCStatus(reset: .refusedStream) == .unavailable)
    #expect(GRPCStatus(reset: .enhanceYourCalm) == .resourceExhausted && GRPCStatus(reset: .noError) == .internalError)
    #expect(GRPCStatus(.outcomeTotalTimeout) == .deadlineExceeded && GRPCStatus(.bindNeg) == .unavailable)
    #expect(GRPCStatus(.connectRefused) == .unavailable && GRPCStatus(.decodeTooLarge) == .resourceExhausted)
    #expect(GRPCStatus(.relayResetByClient) == .cancelled && GRPCStatus(.identifyNone) == .invalidArgument)
    for reason in Reason.allCases { #expect(GRPCStatus(reason) != .ok && GRPCStatus(reason) != .unknown) }
  }

  @Test(
    "the status is found among trailers",
    arguments: [
      ("grpc-status: 0\r\n", 0), ("x: 1\r\nGrpc-Status:14\r\ngrpc-message: a\r\n", 14), ("grpc-status: \r\n", nil),
      ("grpc-status-details-bin: 1\r\n", nil), ("", nil), ("x-grpc-status: 1\r\ngrpc-status:  5 \r\n", 5),
      ("grpc-message: grpc-status: 3\r\n", nil),
    ] as [(String, Int?)])
  func statusOfTrailers(_ lines: String, _ status: Int?) {
    let found = Array(lines.utf8).withUnsafeBytes { GRPCStatus(trailers: $0) }
    #expect(found.map { Int($0.rawValue) } == status)
  }
}
