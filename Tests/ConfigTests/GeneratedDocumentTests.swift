import Foundation
import Testing

@testable import Config

@Suite("generated documents")
struct GeneratedDocumentTests {
  /// With this set, the test writes the documents instead of comparing them.
  static let isWriting = ProcessInfo.processInfo.environment["MESHROUTER_WRITE_DOCUMENTS"] != nil

  @Test(
    "the documents in the repository are those the table of keys gives",
    arguments: ["docs/configuration.md", "docs/meshrouter.schema.json"])
  func upToDate(path: String) throws {
    let text = path.hasSuffix(".md") ? ConfigDocuments.markdown : ConfigDocuments.schema
    let url = repositoryRoot.appendingPathComponent(path)
    if Self.isWriting { try Data(text.utf8).write(to: url) }
    let stored = try String(decoding: Data(contentsOf: url), as: UTF8.self)
    #expect(
      stored == text,
      "\(path) is out of step: MESHROUTER_WRITE_DOCUMENTS=1 swift test --filter GeneratedDocumentTests writes it")
  }

  @Test("the schema is JSON, and closed at every level")
  func schema() throws {
    let schema = try JSONSerialization.jsonObject(with: Data(ConfigDocuments.schema.utf8))
    var closed = 0
    func visit(_ value: Any) {
      if let object = value as? [String: Any] {
        if object["properties"] != nil {
          closed += 1
          #expect(object["additionalProperties"] as? Bool == false)
        }
        object.values.forEach(visit)
      } else if let list = value as? [Any] {
        list.forEach(visit)
      }
    }
    visit(schema)
    #expect(closed > 40)
  }

  @Test("every key explains itself in a sentence")
  func meanings() {
    func visit(_ shape: Shape, _ path: String) {
      switch shape {
      case .list(let item), .oneOrList(let item), .map(let item): visit(item, path)
      case .object(let keys): visit(keys, path)
      case .perName(let keys, let entry):
        visit(keys, path)
        visit(entry, path + ".configs")
      case .kinds(let kinds, _):
        for kind in kinds {
          #expect(kind.meaning.hasSuffix("."), "\(path) \(kind.kind)")
          visit(kind.keys, path + "{\(kind.kind)}")
        }
      case .boolean, .integer, .limit, .number, .text, .choice: break
      }
    }
    func visit(_ keys: [KeyShape], _ path: String) {
      #expect(Set(keys.map(\.name)).count == keys.count, "\(path)")
      for key in keys {
        let keyPath = KeyTrail.join(path, key.name)
        #expect(
          key.meaning.isEmpty || key.meaning.hasSuffix(".") || key.meaning.hasSuffix("standard output."), "\(keyPath)")
        // A duration says so in its name and its unit alike; `ms` and `window` are what linkerd calls two of them.
        if case .active = key.state, key.name != "window" {
          #expect((key.name.hasSuffix("Ms") || key.name == "ms") == (key.unit == "ms"), "\(keyPath)")
          #expect((key.name.hasSuffix("Secs") || key.name.hasSuffix("Seconds")) == (key.unit == "s"), "\(keyPath)")
        }
        visit(key.shape, keyPath)
      }
    }
    visit(KeyTables.document.shape, "")
  }
}
