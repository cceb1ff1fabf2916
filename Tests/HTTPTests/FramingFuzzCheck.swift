import HTTP

/// What holds for the framings of long streams on any input: where it is cut does not matter, and what is held is
/// bounded. The first byte says where the input is cut; a broken law ends the process.
func checkServerSentEventLaws(_ input: [UInt8]) {
  guard let first = input.first else { return }
  let text = Array(input[1...])
  let whole = serverSentEvents(in: [text])
  let cut = Int(first) * text.count / 255
  precondition(serverSentEvents(in: [Array(text[..<cut]), Array(text[cut...])]) == whole, "depends on the cut")
  precondition(serverSentEvents(in: text.map { [$0] }) == whole, "depends on pieces of one byte")
  for event in whole {
    precondition(event.data.count <= fuzzEventBytesMax, "an event larger than the limit")
    precondition(!event.isOversized || event.data.isEmpty, "an oversized event with data")
  }
}

private let fuzzEventBytesMax = 64

func serverSentEvents(in pieces: [[UInt8]], eventBytesMax: Int = fuzzEventBytesMax) -> [ServerSentEvent] {
  var parser = ServerSentEventParser(eventBytesMax: eventBytesMax)
  var events: [ServerSentEvent] = []
  for piece in pieces {
    var index = 0
    while let event = parser.next(piece.span, from: &index) { events.append(event) }
    precondition(index == piece.count, "input is left over")
  }
  return events
}

func checkRecordIOLaws(_ input: [UInt8]) {
  guard let first = input.first else { return }
  let text = Array(input[1...])
  let whole = recordIO(in: [text], recordBytesMax: 1_000)
  let cut = Int(first) * text.count / 255
  precondition(recordIO(in: [Array(text[..<cut]), Array(text[cut...])], recordBytesMax: 1_000) == whole, "the cut")
  precondition(recordIO(in: text.map { [$0] }, recordBytesMax: 1_000) == whole, "pieces of one byte")
  for record in whole.records { precondition(record.count <= 1_000, "a record larger than the limit") }
}

struct RecordIOReading: Equatable {
  var records: [[UInt8]] = []
  var failure: RecordIOError?
  /// A record has begun and not ended.
  var isOpen = false
}

func recordIO(in pieces: [[UInt8]], recordBytesMax: UInt64 = 1 << 20) -> RecordIOReading {
  var parser = RecordIOParser(recordBytesMax: recordBytesMax)
  var reading = RecordIOReading()
  var record: [UInt8] = []
  var announced: UInt64 = 0
  for piece in pieces {
    var index = 0
    events: while true {
      let step = parser.next(piece.span, from: index)
      precondition(step.consumedTo >= index && step.consumedTo <= piece.count, "consumed what is not there")
      index = step.consumedTo
      switch step.event {
      case .begin(let length):
        announced = length
        record = []
      case .data(let range):
        precondition(!range.isEmpty, "an empty piece")
        record += piece[range]
      case .end:
        precondition(UInt64(record.count) == announced, "not as long as announced")
        reading.records.append(record)
      case .needMore:
        precondition(index == piece.count, "input is left over")
        break events
      case .failed(let error):
        reading.failure = error
        return reading
      }
    }
  }
  reading.isOpen = !parser.isBetweenRecords
  return reading
}
