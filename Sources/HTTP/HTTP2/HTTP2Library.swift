import CMeshShims
import CNghttp2

/// Frame types and flags as numbers, RFC 9113 §6.
enum HTTP2Frame {
  static let data: UInt8 = 0x0
  static let headers: UInt8 = 0x1
  static let priority: UInt8 = 0x2
  static let rstStream: UInt8 = 0x3
  static let settings: UInt8 = 0x4
  static let pushPromise: UInt8 = 0x5
  static let ping: UInt8 = 0x6
  static let goaway: UInt8 = 0x7
  static let windowUpdate: UInt8 = 0x8
  static let continuation: UInt8 = 0x9
  /// RFC 9218 §7.1.
  static let priorityUpdate: UInt8 = 0x10

  static let endStream: UInt8 = 0x1
  static let ack: UInt8 = 0x1
  static let endHeaders: UInt8 = 0x4
  static let padded: UInt8 = 0x8

  /// Bytes of a frame's head.
  static let headBytes = 9
}

/// What all sessions have in common: the table of callbacks and the options.
public enum HTTP2Library {
  /// Of nghttp2 as it was loaded, which may be newer than the one the build saw.
  public static var version: String { String(cString: nghttp2_version(0).pointee.version_str) }

  /// Made once, read by every thread, never freed.
  nonisolated(unsafe) static let callbacks: OpaquePointer = makeCallbacks()

  /// There are none in builds with a sanitizer: then no session is ever parked.
  static let hasArenas = mesh_arenas_prepare() == 1

  /// Streams, frames and copied fields come and go with every request: their memory is kept at hand. What a session has
  /// for as long as it lives, 25 KiB, is in its arena.
  static func memory(_ arena: UnsafeMutableRawPointer?) -> nghttp2_mem {
    nghttp2_mem(
      mem_user_data: arena, malloc: mesh_block_new, free: mesh_block_free, calloc: mesh_block_zeroed,
      realloc: mesh_block_resize)
  }

  static func option(_ settings: HTTP2Settings) -> OpaquePointer {
    var option: OpaquePointer?
    guard nghttp2_option_new(&option) == 0, let option else { preconditionFailure("no memory for HTTP/2 options") }
    nghttp2_option_set_no_auto_window_update(option, 1)
    // Closed streams are of use to RFC 7540's priorities only.
    nghttp2_option_set_no_closed_streams(option, 1)
    nghttp2_option_set_max_outbound_ack(option, 1_000)
    nghttp2_option_set_max_settings(option, 32)
    // A field section that we send has passed our own limits.
    nghttp2_option_set_max_send_header_block_length(option, 1 << 24)
    // Counted here, with the owner's clock.
    nghttp2_option_set_stream_reset_rate_limit(option, 1 << 40, 1 << 40)
    nghttp2_option_set_max_continuations(option, 1 << 20)
    return option
  }

  /// The code that libnghttp2 gives in GOAWAY for one of its errors.
  static func code(for error: Int32) -> HTTP2ErrorCode {
    switch nghttp2_error(rawValue: error) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC, NGHTTP2_ERR_PROTO, NGHTTP2_ERR_HTTP_MESSAGING, NGHTTP2_ERR_HTTP_HEADER,
      NGHTTP2_ERR_SETTINGS_EXPECTED:
      .protocolError
    case NGHTTP2_ERR_FLOW_CONTROL: .flowControlError
    case NGHTTP2_ERR_FRAME_SIZE_ERROR: .frameSizeError
    case NGHTTP2_ERR_HEADER_COMP: .compressionError
    case NGHTTP2_ERR_STREAM_CLOSED: .streamClosed
    case NGHTTP2_ERR_REFUSED_STREAM: .refusedStream
    case NGHTTP2_ERR_FLOODED, NGHTTP2_ERR_TOO_MANY_CONTINUATIONS: .enhanceYourCalm
    default: .internalError
    }
  }

  /// Where the body of `stream` comes from: its queue.
  static func provider(_ stream: UnsafeMutableRawPointer) -> nghttp2_data_provider {
    nghttp2_data_provider(source: nghttp2_data_source(ptr: stream), read_callback: readBody)
  }

  private static func makeCallbacks() -> OpaquePointer {
    var table: OpaquePointer?
    guard nghttp2_session_callbacks_new(&table) == 0, let table else {
      preconditionFailure("no memory for HTTP/2 callbacks")
    }
    nghttp2_session_callbacks_set_on_begin_frame_callback(table) { _, head, user in
      with(user) { session in session.frameBegins(head.unsafelyUnwrapped.pointee) }
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(table) { _, frame, user in
      with(user) { session in session.sectionBegins(frame.unsafelyUnwrapped) }
    }
    nghttp2_session_callbacks_set_on_header_callback(table) { _, frame, name, nameCount, value, valueCount, _, user in
      with(user) { session in
        session.field(
          frame.unsafelyUnwrapped, name: UnsafeRawBufferPointer(start: name, count: nameCount),
          value: UnsafeRawBufferPointer(start: value, count: valueCount))
      }
    }
    // Fields that libnghttp2 would leave out make the message malformed.
    nghttp2_session_callbacks_set_on_invalid_header_callback(table) { _, _, _, _, _, _, _, _ in
      NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(table) { _, frame, user in
      with(user) { session in session.frameReceived(frame.unsafelyUnwrapped) }
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table) { _, _, id, bytes, count, user in
      with(user) { session in session.dataReceived(id, UnsafeRawBufferPointer(start: bytes, count: count)) }
    }
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(table) { _, frame, error, user in
      with(user) { session in session.frameRefused(frame.unsafelyUnwrapped, error) }
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(table) { _, id, code, user in
      with(user) { session in session.streamClosed(id, HTTP2ErrorCode(rawValue: code)) }
    }
    nghttp2_session_callbacks_set_on_frame_send_callback(table) { _, frame, user in
      with(user) { session in session.frameSent(frame.unsafelyUnwrapped) }
    }
    nghttp2_session_callbacks_set_on_frame_not_send_callback(table) { _, frame, error, user in
      with(user) { session in session.frameNotSent(frame.unsafelyUnwrapped, error) }
    }
    nghttp2_session_callbacks_set_send_data_callback(table) { _, frame, head, count, source, user in
      with(user) { session in
        session.writeData(
          frame.unsafelyUnwrapped, head: UnsafeRawBufferPointer(start: head, count: HTTP2Frame.headBytes), count: count,
          of: source.unsafelyUnwrapped.pointee.ptr)
      }
    }
    return table
  }

  static let callbackFailure = NGHTTP2_ERR_CALLBACK_FAILURE.rawValue
  static let temporalFailure = NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
}

/// The session behind a callback's user data. Sessions outlive the calls they make.
@inline(__always)
private func with<R>(_ user: UnsafeMutableRawPointer?, _ body: (HTTP2Session) -> R) -> R {
  Unmanaged<HTTP2Session>.fromOpaque(user.unsafelyUnwrapped)._withUnsafeGuaranteedRef { body($0) }
}

/// libnghttp2 asks how much of a body goes into the next DATA frame.
private let readBody: nghttp2_data_source_read_callback = { _, _, _, limit, flags, source, user in
  with(user) { session in
    session.nextData(
      limit: limit, flags: flags.unsafelyUnwrapped, of: source.unsafelyUnwrapped.pointee.ptr.unsafelyUnwrapped)
  }
}
