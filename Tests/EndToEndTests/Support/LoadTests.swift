import Testing

/// Suites that load the machine or measure time and memory: one case after the other.
@Suite("under load", .serialized)
enum LoadTests {}
