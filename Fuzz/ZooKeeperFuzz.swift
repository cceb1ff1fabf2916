/// libFuzzer's entry point for what ZooKeeper servers send; the laws are in `checkZooKeeperLaws`, which the tests use as
/// well.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  checkZooKeeperLaws(Array(UnsafeBufferPointer(start: data, count: size)))
  return 0
}
