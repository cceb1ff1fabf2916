/// libFuzzer's entry point for the HTTP/1 codec; the laws are in `checkH1Laws`, which the tests use as well.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  checkH1Laws(Array(UnsafeBufferPointer(start: data, count: size)))
  return 0
}
