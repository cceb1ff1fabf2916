import MeshBase
import Net

/// What one subscriber is still to get. Whoever reads too slowly is cut off. Confined to the control thread.
@ControlActor
final class StreamQueue {
  private enum End { case clean, broken }

  private var pieces: [[UInt8]] = []
  private var events = 0
  private var end: End?
  private var waiter: CheckedContinuation<Void, Never>?
  private let eventsMax: Int
  /// Takes nothing more and stays open.
  var isStalled = false
  private(set) var wasTooSlow = false

  init(eventsMax: Int) { self.eventsMax = eventsMax }

  var isOpen: Bool { end == nil }

  /// Events that were not yet handed to the kernel.
  var backlog: Int { events }

  func offer(_ bytes: [UInt8], isEvent: Bool = true) {
    guard isOpen, !isStalled else { return }
    if isEvent {
      events += 1
      if events > eventsMax {
        wasTooSlow = true
        return close(clean: true)
      }
    }
    pieces.append(bytes)
    wake()
  }

  /// `clean`: with the end of the body; otherwise the connection breaks off.
  func close(clean: Bool) {
    guard isOpen else { return }
    end = clean ? .clean : .broken
    wake()
  }

  private func wake() {
    waiter?.resume()
    waiter = nil
  }

  /// Writes until the end. `cut`: says where a run of bytes is cut into pieces.
  func run(_ writer: ControlBodyWriter, cut: (@ControlActor ([UInt8]) -> [[UInt8]])?, sent: (Int) -> Void) async throws
  {
    while true {
      if pieces.isEmpty {
        switch end {
        case .clean: return
        case .broken: throw BrokenOff()
        case nil: break
        }
        await withTaskCancellationHandler {
          await withCheckedContinuation { continuation in
            if Task.isCancelled { continuation.resume() } else { waiter = continuation }
          }
        } onCancel: {
          Task { @ControlActor in close(clean: false) }
        }
        try Task.checkCancellation()
        continue
      }
      let batch = pieces
      pieces = []
      if let cut {
        for piece in cut(Array(batch.joined())) { try await writer.write(piece) }
      } else if batch.count > 4 {
        try await writer.write(Array(batch.joined()))
      } else {
        for piece in batch { try await writer.write(piece) }
      }
      sent(batch.reduce(0) { $0 + $1.count })
      events = pieces.count
    }
  }
}
