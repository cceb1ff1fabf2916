/// libFuzzer's entry point for HTTP/2 sessions; the laws are in `checkH2Laws`, which the tests use as well.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  checkH2Laws(Array(UnsafeBufferPointer(start: data, count: size)))
  return 0
}
