import CZlib

/// Why compressed bytes cannot be read.
public enum InflateError: Error, Equatable, Sendable, CustomStringConvertible {
  case damaged
  /// They stand for more bytes than the limit.
  case tooLarge(bytesMax: Int)

  public var description: String {
    switch self {
    case .damaged: "the gzip-encoded body is damaged"
    case .tooLarge(let most): "the gzip-encoded body stands for more than \(most) bytes"
    }
  }
}

/// Undoes gzip (or zlib) compression, pulled piece by piece: a small body that stands for an immense one costs no more
/// than one piece of memory, and ends at the limit.
public final class Inflater {
  private static let pieceBytes = 65_536

  private let stream: UnsafeMutablePointer<z_stream>
  private let outputBytesMax: Int
  private var outputBytes = 0
  private var input: [UInt8] = []
  private var inputStart = 0
  private var mayHaveMore = false
  /// The stream has ended; more input would begin another.
  public private(set) var isAtEnd = false

  public init(outputBytesMax: Int) {
    self.outputBytesMax = outputBytesMax
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    precondition(mesh_inflate_init(stream) == Z_OK, "inflateInit2: no memory")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Takes compressed bytes; all that were given before must have been read.
  public func push(_ bytes: [UInt8]) {
    precondition(inputStart == input.count, "what was pushed before is not read yet")
    input = bytes
    inputStart = 0
  }

  /// The next piece, never empty; `nil`: push more.
  public func next() throws(InflateError) -> [UInt8]? {
    while inputStart < input.count || mayHaveMore {
      if isAtEnd {
        // gzip streams may follow each other (RFC 1952 §2.2).
        guard inflateReset(stream) == Z_OK else { throw .damaged }
        isAtEnd = false
      }
      var status = Z_OK
      let piece = [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { output, count in
        input.withUnsafeBufferPointer { bytes in
          // zlib does not write there, its type merely says so.
          stream.pointee.next_in = bytes.baseAddress.map { UnsafeMutablePointer(mutating: $0 + inputStart) }
          stream.pointee.avail_in = UInt32(bytes.count - inputStart)
          stream.pointee.next_out = output.baseAddress
          stream.pointee.avail_out = UInt32(Self.pieceBytes)
          status = inflate(stream, Z_NO_FLUSH)
          inputStart = bytes.count - Int(stream.pointee.avail_in)
        }
        count = Self.pieceBytes - Int(stream.pointee.avail_out)
      }
      isAtEnd = status == Z_STREAM_END
      guard isAtEnd || status == Z_OK || status == Z_BUF_ERROR else { throw .damaged }
      mayHaveMore = !isAtEnd && piece.count == Self.pieceBytes
      outputBytes += piece.count
      if outputBytes > outputBytesMax { throw .tooLarge(bytesMax: outputBytesMax) }
      if !piece.isEmpty { return piece }
      if status == Z_BUF_ERROR { break }
    }
    return nil
  }
}
