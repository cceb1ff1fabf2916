/// libFuzzer's entry point for names and dtabs; the laws are in `checkDtabLaws`, which the tests use as well.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  checkDtabLaws(Array(UnsafeBufferPointer(start: data, count: size)))
  return 0
}
