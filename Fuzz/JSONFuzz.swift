/// libFuzzer's entry point for the JSON reader; the laws are in `checkJSONLaws`, which the tests use as well.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  checkJSONLaws(Array(UnsafeBufferPointer(start: data, count: size)))
  return 0
}
