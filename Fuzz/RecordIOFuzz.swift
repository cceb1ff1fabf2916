/// libFuzzer's entry point for RecordIO; the laws are in `checkRecordIOLaws`, which the tests use as well.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  checkRecordIOLaws(Array(UnsafeBufferPointer(start: data, count: size)))
  return 0
}
