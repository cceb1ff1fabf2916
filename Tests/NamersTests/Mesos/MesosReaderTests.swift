import MeshBase
import Testing

@testable import Namers

@Suite struct MesosReaderTests {
  let now = MonotonicInstant(nanoseconds: 1_000_000_000)

  private func pieces(_ text: String, _ paths: [String], size: Int) throws(JSONError) -> [String] {
    let bytes = Array(text.utf8)
    var splitter = JSONElementSplitter(paths: paths)
    var found: [String] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
      try splitter.feed(bytes.span.extracting(start..<min(start + size, bytes.count))) { path, element in
        found.append("\(path):" + element.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) })
      }
    }
    try splitter.finish()
    return found
  }

  @Test("an array on the way to a path's value is passed through element by element", arguments: [1, 2, 5, 1_000])
  func arraysOnTheWay(size: Int) throws {
    let text = """
      {"x":[{"id":"no"}],"f":[{"id":"a","tasks":[{"id":1},{"id":2}],"y":[[]]}, {"tasks":[],"id":"b"},7,[{"id":"c"}],{}],\
      "id":"no","g":{"id":9}}
      """
    #expect(
      try pieces(text, ["f.id", "f.tasks", "g.id"], size: size)
        == [#"0:"a""#, #"1:{"id":1}"#, #"1:{"id":2}"#, #"0:"b""#, #"0:"c""#, "2:9"])
    #expect(throws: JSONError.self) { try pieces(#"{"f":[{"id":1}}"#, ["f.id"], size: size) }
    #expect(throws: JSONError.self) { try pieces(#"{"f":[{"id":1]]}"#, ["f.id"], size: size) }
    #expect(throws: JSONError.self) { try pieces(#"{"f":[{"id":1}"#, ["f.id"], size: size) }
    let deep = String(repeating: "[", count: 100_000)
    #expect(throws: JSONError.self) { try pieces("{\"f\":" + deep, ["f.id"], size: 1_000) }
  }

  @Test("one malformed element is counted and left out; the rest of the snapshot stands")
  func malformed() throws {
    let body = """
      {"type":"SUBSCRIBED","subscribed":{"get_state":{"get_tasks":{"tasks":[
      {"name":"a","task_id":{"value":"1"},"framework_id":{"value":"F"},"agent_id":{"value":"A"},"state":"TASK_RUNNING"},
      {"name":7,"task_id":{"value":"2"}},
      {"name":"b","task_id":{"value":"3"},"framework_id":{"value":"F"},"agent_id":null,"labels":null,"resources":null}]}}}}
      """
    let model = MesosModel()
    var reader = MesosStreamReader()
    let bytes = Array("\(body.utf8.count)\n\(body)".utf8)
    try reader.feed(bytes.span, into: model, at: now)
    #expect(reader.snapshotCount == 1 && reader.malformedCount == 1)
    #expect(model.taskCount == 2 && model.isComplete)
  }

  @Test("a cluster without anything is a snapshot too")
  func empty() throws {
    let body = #"{"type":"SUBSCRIBED","subscribed":{}}"#
    let model = MesosModel()
    var reader = MesosStreamReader()
    let bytes = Array("\(body.utf8.count)\n\(body)".utf8)
    try reader.feed(bytes.span, into: model, at: now)
    #expect(reader.snapshotCount == 1 && model.isComplete)
  }

  @Test("an old master that does not lead tells who does, and changes nothing")
  func notLeading() {
    let text = #"{"pid":"master@10.0.0.1:5050","leader":"master@10.0.0.2:5050","slaves":[],"frameworks":[]}"#
    for text in [text, #"{"pid":"master@10.0.0.1:5050","leader":"master@10.0.0.2:5050"}"#] {
      let model = MesosModel()
      var reader = MesosStateReader()
      let bytes = Array(text.utf8)
      #expect(throws: MesosStateError.notLeading(leader: "master@10.0.0.2:5050")) {
        try reader.feed(bytes.span, into: model, at: now)
        try reader.finish(into: model)
      }
      #expect(!model.isComplete)
    }
  }

  @Test("broken bytes end a stream or are left out; nothing else happens", arguments: [1, 2, 3, 4] as [UInt64])
  func broken(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let good = DcosFixtures.bytes("mesos/subscribe.recordio")
    let state = DcosFixtures.bytes("mesos/state.json")
    for _ in 0..<25 {
      let model = MesosModel()
      var stream = MesosStreamReader()
      var bytes = good
      for _ in 0..<(1 + random.below(20)) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
      let size = 1 + random.below(20_000)
      do {
        for start in stride(from: 0, to: bytes.count, by: size) {
          try stream.feed(bytes.span.extracting(start..<min(start + size, bytes.count)), into: model, at: now)
        }
      } catch {}
      var reader = MesosStateReader()
      bytes = state
      for _ in 0..<(1 + random.below(20)) { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
      do {
        try reader.feed(bytes.span, into: model, at: now)
        try reader.finish(into: model)
      } catch {}
      // Whatever is left can be looked at.
      _ = model.view
    }
  }
}
