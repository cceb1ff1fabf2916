import CYaml

/// Why a document could not be read.
struct YAMLProblem: Error, Equatable {
  var message: String
  var remedy: String?
  var place: SourcePlace
}

/// Reads one YAML document into nodes; JSON is a subset.
///
/// Anchors, aliases and merge keys (`<<`) are resolved here. Work and memory are bounded whatever the document
/// says: by `textBytesMax` for its size, `depthMax` for nesting, `nodesMax` for what aliases expand to.
struct YAMLParser: ~Copyable {
  static let textBytesMax = 4 << 20
  static let depthMax = 64
  static let nodesMax = 200_000

  // On the heap: libyaml keeps a pointer to the parser in the parser.
  private let parser: UnsafeMutablePointer<yaml_parser_t>
  private let lines: UnsafeBufferPointer<UInt8>
  private var anchors: [String: Anchor] = [:]
  /// Anchors whose node is not complete yet.
  private var open: Set<String> = []
  private var nodes = 0

  private struct Anchor {
    var node: YAMLNode
    /// Nodes it expands to.
    var size: Int
  }

  static func parse(_ text: String) throws(YAMLProblem) -> YAMLNode? {
    guard text.utf8.count <= textBytesMax else {
      throw YAMLProblem(
        message: "the file has \(text.utf8.count) bytes; at most \(textBytesMax) are read",
        place: SourcePlace(line: 1, column: 1))
    }
    var text = text
    let result = text.withUTF8 { bytes -> Result<YAMLNode?, YAMLProblem> in
      do throws(YAMLProblem) {
        var parser = YAMLParser(bytes)
        return .success(try parser.document())
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  private init(_ bytes: UnsafeBufferPointer<UInt8>) {
    lines = bytes
    parser = .allocate(capacity: 1)
    guard yaml_parser_initialize(parser) == 1 else { fatalError("libyaml has no memory for a parser") }
    yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
  }

  deinit {
    yaml_parser_delete(parser)
    parser.deallocate()
  }

  // MARK: Events

  private enum Event {
    case streamStart, streamEnd, documentStart, documentEnd, sequenceEnd, mappingEnd
    case alias(String)
    case scalar(YAMLNode.Scalar, anchor: String?)
    case sequenceStart(anchor: String?)
    case mappingStart(anchor: String?)
  }

  private mutating func next() throws(YAMLProblem) -> (Event, SourcePlace) {
    var event = yaml_event_t()
    guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxProblem() }
    defer { yaml_event_delete(&event) }
    let place = Self.place(event.start_mark, event.end_mark)
    switch event.type {
    case YAML_STREAM_START_EVENT: return (.streamStart, place)
    case YAML_STREAM_END_EVENT, YAML_NO_EVENT: return (.streamEnd, place)
    case YAML_DOCUMENT_START_EVENT: return (.documentStart, place)
    case YAML_DOCUMENT_END_EVENT: return (.documentEnd, place)
    case YAML_SEQUENCE_END_EVENT: return (.sequenceEnd, place)
    case YAML_MAPPING_END_EVENT: return (.mappingEnd, place)
    case YAML_ALIAS_EVENT: return (.alias(Self.text(event.data.alias.anchor) ?? ""), place)
    case YAML_SEQUENCE_START_EVENT:
      try checkTag(event.data.sequence_start.tag, place, allowed: "seq")
      return (.sequenceStart(anchor: Self.text(event.data.sequence_start.anchor)), place)
    case YAML_MAPPING_START_EVENT:
      try checkTag(event.data.mapping_start.tag, place, allowed: "map")
      return (.mappingStart(anchor: Self.text(event.data.mapping_start.anchor)), place)
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let tag = Self.text(scalar.tag)
      try checkTag(scalar.tag, place, allowed: "str", "int", "float", "bool", "null")
      let style: YAMLNode.Style =
        switch scalar.style {
        case YAML_SINGLE_QUOTED_SCALAR_STYLE: .singleQuoted
        case YAML_DOUBLE_QUOTED_SCALAR_STYLE: .doubleQuoted
        case YAML_LITERAL_SCALAR_STYLE: .literal
        case YAML_FOLDED_SCALAR_STYLE: .folded
        default: .plain
        }
      let text = String(decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
      let value = YAMLNode.Scalar(
        text: text, style: style, isTaggedText: tag == "tag:yaml.org,2002:str" || tag == "!",
        lastLine: Int(event.end_mark.line) + 1)
      return (.scalar(value, anchor: Self.text(scalar.anchor)), place)
    default: preconditionFailure("libyaml reported an event it does not have")
    }
  }

  private func checkTag(
    _ tag: UnsafeMutablePointer<yaml_char_t>?, _ place: SourcePlace, allowed: String...
  ) throws(YAMLProblem) {
    guard let tag = Self.text(tag), tag != "!" else { return }
    guard allowed.contains(where: { tag == "tag:yaml.org,2002:" + $0 }) else {
      throw YAMLProblem(message: "the tag \(tag) has no meaning here", remedy: "Leave it out.", place: place)
    }
  }

  private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
    pointer.map { String(cString: $0) }
  }

  private static func place(_ start: yaml_mark_t, _ end: yaml_mark_t) -> SourcePlace {
    SourcePlace(
      line: Int(start.line) + 1, column: Int(start.column) + 1,
      length: start.line == end.line ? max(1, Int(end.column) - Int(start.column)) : 1)
  }

  private func syntaxProblem() -> YAMLProblem {
    let problem = parser.pointee.problem.map { String(cString: $0) } ?? "the document cannot be read"
    let context = parser.pointee.context.map { String(cString: $0) + ", " } ?? ""
    if parser.pointee.error == YAML_READER_ERROR {
      let offset = min(Int(parser.pointee.problem_offset), lines.count)
      let before = lines[..<offset]
      let lineStart = before.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0
      let place = SourcePlace(
        line: before.count { $0 == 0x0a } + 1, column: lines[lineStart..<offset].count { $0 & 0xc0 != 0x80 } + 1)
      return YAMLProblem(message: "not YAML: \(problem)", place: place)
    }
    let mark = parser.pointee.problem_mark
    var place = SourcePlace(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    // libyaml begins a line of its own at the end of a file without one.
    let last = lines.split(separator: 0x0a, omittingEmptySubsequences: false)
    if place.line > last.count, let end = last.last {
      place = SourcePlace(line: last.count, column: end.count { $0 & 0xc0 != 0x80 } + 1)
    }
    let line = lines.split(separator: 0x0a, maxSplits: Int(mark.line) + 1, omittingEmptySubsequences: false)
    var remedy: String?
    if Int(mark.line) < line.count {
      let text = line[Int(mark.line)]
      if text.prefix(while: { $0 == 0x20 || $0 == 0x09 }).contains(0x09) {
        remedy = "Indent with spaces; YAML does not allow tabs there."
      } else if text.contains(0x7b), text.contains(0x24) {
        remedy = "Inside { } or [ ] write \"${…}\" in quotes."
      }
    }
    return YAMLProblem(message: "not YAML: \(context)\(problem)", remedy: remedy, place: place)
  }

  // MARK: Nodes

  private mutating func document() throws(YAMLProblem) -> YAMLNode? {
    _ = try next()
    guard case (.documentStart, _) = try next() else { return nil }
    let (first, place) = try next()
    let root = try node(first, place, depth: 0)
    _ = try next()
    let (last, end) = try next()
    guard case .streamEnd = last else {
      throw YAMLProblem(message: "a second document begins here", remedy: "Write one document per file.", place: end)
    }
    return root
  }

  private mutating func count(_ more: Int, _ place: SourcePlace) throws(YAMLProblem) {
    nodes += more
    guard nodes <= Self.nodesMax else {
      throw YAMLProblem(
        message: "the document has more than \(Self.nodesMax) values, aliases expanded", place: place)
    }
  }

  private mutating func node(_ event: Event, _ place: SourcePlace, depth: Int) throws(YAMLProblem) -> YAMLNode {
    guard depth < Self.depthMax else {
      throw YAMLProblem(message: "nested deeper than \(Self.depthMax) levels", place: place)
    }
    try count(1, place)
    let before = nodes
    switch event {
    case .alias(let name):
      guard let anchor = anchors[name], !open.contains(name) else {
        let message = open.contains(name) ? "the alias *\(name) stands within itself" : "no anchor &\(name) before this"
        throw YAMLProblem(message: message, place: place)
      }
      try count(anchor.size, place)
      return anchor.node
    case .scalar(let scalar, let anchor):
      let node = YAMLNode(content: .scalar(scalar), place: place)
      if let anchor { anchors[anchor] = Anchor(node: node, size: 1) }
      return node
    case .sequenceStart(let anchor):
      if let anchor { open.insert(anchor) }
      var items: [YAMLNode] = []
      while true {
        let (event, itemPlace) = try next()
        if case .sequenceEnd = event { break }
        items.append(try node(event, itemPlace, depth: depth + 1))
      }
      return define(anchor, YAMLNode(content: .sequence(items), place: place), since: before)
    case .mappingStart(let anchor):
      if let anchor { open.insert(anchor) }
      let pairs = try mappingPairs(depth: depth)
      return define(anchor, YAMLNode(content: .mapping(pairs), place: place), since: before)
    case .streamStart, .streamEnd, .documentStart, .documentEnd, .sequenceEnd, .mappingEnd:
      preconditionFailure("libyaml closed what it had not opened")
    }
  }

  private mutating func define(_ anchor: String?, _ node: YAMLNode, since before: Int) -> YAMLNode {
    if let anchor {
      open.remove(anchor)
      anchors[anchor] = Anchor(node: node, size: nodes - before + 1)
    }
    return node
  }

  private mutating func mappingPairs(depth: Int) throws(YAMLProblem) -> [YAMLNode.Pair] {
    var pairs: [YAMLNode.Pair] = []
    var merged: [YAMLNode.Pair] = []
    var seen: [String: SourcePlace] = [:]
    while true {
      let (keyEvent, keyPlace) = try next()
      if case .mappingEnd = keyEvent { break }
      let keyNode = try node(keyEvent, keyPlace, depth: depth + 1)
      guard case .scalar(let key) = keyNode.content else {
        throw YAMLProblem(message: "a key must be a word, not \(keyNode.noun)", place: keyPlace)
      }
      let (valueEvent, valuePlace) = try next()
      let value = try node(valueEvent, valuePlace, depth: depth + 1)
      if key.text == "<<", key.style == .plain {
        merged += try mergeSource(value, valuePlace)
        continue
      }
      pairs.append(
        YAMLNode.Pair(key: key.text, keyPlace: keyPlace, value: value, duplicateOf: seen[key.text]))
      if seen[key.text] == nil { seen[key.text] = keyPlace }
    }
    // What is written here is stronger than what is merged, and earlier sources are stronger than later ones.
    for pair in merged where seen[pair.key] == nil {
      seen[pair.key] = pair.keyPlace
      pairs.append(pair)
    }
    return pairs
  }

  private func mergeSource(_ value: YAMLNode, _ place: SourcePlace) throws(YAMLProblem) -> [YAMLNode.Pair] {
    switch value.content {
    case .mapping(let pairs): return pairs
    case .sequence(let items):
      var all: [YAMLNode.Pair] = []
      for item in items {
        guard case .mapping(let pairs) = item.content else { break }
        all += pairs
      }
      if all.isEmpty == items.isEmpty { return all }
    case .scalar: break
    }
    throw YAMLProblem(message: "<< needs a mapping or a list of mappings, usually an alias", place: place)
  }
}
