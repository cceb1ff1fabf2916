// swift-tools-version: 6.2
import PackageDescription

// The module graph. Imports point down; Tests/ArchitectureTests reads every import against it.
//   6 MeshRouterMain   5 MeshRouter   4 Admin Namers DtabStore Config ClusterSim   3 Net   2 HTTP
//   1 Dtab Balancers Resilience Telemetry   0 MeshBase
let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableExperimentalFeature("Lifetimes"),
  // Debug builds and tests check exclusive access at run time; in release it cost 2 % of a request. Bounds checks stay.
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .testTarget(name: name + "Tests", dependencies: dependencies, swiftSettings: [.treatAllWarnings(as: .error)])
}

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
  name: "MeshRouter",
  products: [.executable(name: "meshrouter", targets: ["MeshRouterMain"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .target(name: "CMeshShims"),
    .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CAres", pkgConfig: "libcares", providers: [.apt(["libc-ares-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),

    module("MeshBase", ["CMeshShims"]),
    module("Dtab", ["MeshBase"]),
    module("Balancers", ["MeshBase"]),
    module("Resilience", ["MeshBase"]),
    module("Telemetry", ["MeshBase", "CMeshShims"]),
    module("HTTP", ["MeshBase", "CNghttp2", "CMeshShims"]),
    module("Net", ["MeshBase", "HTTP", "CMeshShims", "COpenSSL", "CZlib"]),
    module("Config", ["MeshBase", "Dtab", "CYaml"]),
    module("Namers", ["MeshBase", "Dtab", "Resilience", "HTTP", "Net", "CAres", logging]),
    module("DtabStore", ["MeshBase", "Dtab", "Net", logging]),
    module("Admin", ["MeshBase", "Dtab", "Telemetry", "HTTP", "Net", logging]),
    // Clusters for tests, benchmarks and the demo: schedulers that answer as the real ones do, and their tasks.
    module("ClusterSim", ["MeshBase", "HTTP", "Net"]),
    module(
      "MeshRouter",
      [
        "MeshBase", "Dtab", "Balancers", "Resilience", "Telemetry", "HTTP", "Net", "Config", "Namers", "DtabStore",
        "Admin", "ClusterSim", logging,
      ]),
    .executableTarget(
      name: "MeshRouterMain",
      dependencies: ["MeshRouter", "MeshBase", "Dtab", "Telemetry", "Net", "Config", "Namers", argumentParser],
      swiftSettings: strict),

    // Counts allocations of the whole process, so only the benchmarks may link it.
    .target(name: "CMallocCount", path: "Benchmarks/CMallocCount", publicHeadersPath: "include"),
    .executableTarget(
      name: "Benchmarks",
      dependencies: [
        "MeshRouter", "MeshBase", "Dtab", "Balancers", "Telemetry", "HTTP", "Net", "Config", "CMeshShims",
        "ClusterSim", "CMallocCount", "COpenSSL", argumentParser,
      ],
      path: "Benchmarks/Runner", swiftSettings: strict),

    // What tests of several modules share.
    .target(name: "TestSupport", dependencies: ["MeshBase", "Net"], path: "Tests/TestSupport", swiftSettings: strict),
    // Frames made by hand, and what the RFCs ask for them: for the codec's tests and for those of the whole router.
    .target(name: "HTTP2Cases", dependencies: ["HTTP"], path: "Tests/HTTP2Cases", swiftSettings: strict),
    tests("MeshBase", ["MeshBase"]),
    tests("Dtab", ["Dtab", "MeshBase", "TestSupport"]),
    tests("Balancers", ["Balancers"]),
    tests("Resilience", ["Resilience"]),
    tests("Telemetry", ["Telemetry"]),
    tests("HTTP", ["HTTP", "HTTP2Cases", "CMeshShims"]),
    tests("Net", ["Net", "TestSupport"]),
    tests("Config", ["Config"]),
    tests("Namers", ["Namers", "ClusterSim", "TestSupport"]),
    // Edits dtabs until it is killed; DtabStoreTests kill it.
    .executableTarget(
      name: "DtabStoreCrashWriter", dependencies: ["DtabStore", "Net"], path: "Tests/DtabStoreCrashWriter",
      swiftSettings: strict),
    tests("DtabStore", ["DtabStore", "DtabStoreCrashWriter", "TestSupport"]),
    tests("Admin", ["Admin", "TestSupport"]),
    tests("ClusterSim", ["ClusterSim", "MeshBase", "HTTP", "Net", "TestSupport"]),
    tests("MeshRouter", ["MeshRouter"]),
    tests("MeshRouterMain", ["MeshRouterMain", "TestSupport"]),
    tests("Architecture", ["MeshBase", "Dtab", "Config", "Telemetry"]),
    tests(
      "EndToEnd", ["MeshRouterMain", "ClusterSim", "HTTP", "HTTP2Cases", "MeshBase", "Net", "TestSupport"]),
  ],
  swiftLanguageModes: [.v6]
)
