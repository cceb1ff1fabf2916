/// libFuzzer's entry point for event streams; the laws are in `checkServerSentEventLaws`, which the tests use as well.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  checkServerSentEventLaws(Array(UnsafeBufferPointer(start: data, count: size)))
  return 0
}
