import Testing

@testable import Net

@Suite("Control groups") struct ControlGroupTests {
  private func limit(_ groups: String, _ files: [String: String]) -> UInt64? {
    ControlGroup.memoryLimit(groups: groups) { files[$0] }
  }

  @Test("the least limit of the group and of those around it holds")
  func unified() {
    let files = [
      "/sys/fs/cgroup/a/b/memory.max": "max\n", "/sys/fs/cgroup/a/memory.max": "536870912\n",
      "/sys/fs/cgroup/memory.max": "1073741824\n",
    ]
    #expect(limit("0::/a/b\n", files) == 536_870_912)
    #expect(limit("0::/\n", files) == 1_073_741_824)
    #expect(limit("0::/../../outside\n", ["/sys/fs/cgroup/memory.max": "5000\n"]) == 5_000)
    #expect(limit("0::/a/b\n", [:]) == nil && limit("", files) == nil)
  }

  @Test("version 1 has a controller of its own, and a huge number for none")
  func versionOne() {
    let groups = "5:cpu,cpuacct:/x\n4:memory:/docker/1\n0::/y\n"
    let file = "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes"
    #expect(limit(groups, [file: "1048576\n"]) == 1_048_576)
    #expect(limit(groups, [file: "9223372036854771712\n"]) == nil)
  }

  @Test("this process: what is resident is known")
  func resident() {
    #expect(Host.residentBytes > 1 << 20)
    if let limit = Host.memoryGroupLimit { #expect(limit > Host.residentBytes / 2) }
  }
}
