import HTTP
import MeshBase

extension RouterRuntime {
  /// Writes the bind cache's key for the request in `worker.requestHead`.
  @inline(__always)
  func identify(
    _ worker: Worker, _ head: UnsafeRawBufferPointer, clearContext: Bool, caller: CallerIdentity? = nil,
    into key: ByteBuffer
  ) -> Identifier.Result {
    identifiers.identify(&worker.requestHead, head, clearContext: clearContext, caller: caller, into: key)
  }

  /// What the identifiers of this router need to see.
  var identifierHelp: String { identifiers.map(\.help).joined(separator: "; or ") + "." }
}

extension [Identifier] {
  /// Writes the request's name by the first identifier that can tell it and, after a NUL byte, the dtab that the
  /// request brings along unless `clearContext`.
  @inline(__always)
  func identify(
    _ request: inout RequestHead, _ head: UnsafeRawBufferPointer, clearContext: Bool, caller: CallerIdentity? = nil,
    into key: ByteBuffer
  ) -> Identifier.Result {
    var result = Identifier.Result.none
    for identifier in self {
      result = identifier.identify(&request, head, caller: caller, into: key)
      if result != .none { break }
    }
    let overrides: KnownHeaderSet = [.l5dDtab, .l5dCtxDtab]
    if !clearContext, !request.block.present.isDisjoint(with: overrides), case .name = result {
      appendOverrides(request, head, to: key)
    }
    return result
  }

  /// `l5d-ctx-dtab` before `l5d-dtab`, since later entries have precedence; several fields of a name in their order.
  @inline(never)
  private func appendOverrides(_ request: RequestHead, _ head: UnsafeRawBufferPointer, to key: ByteBuffer) {
    var separator: StaticString = "\0"
    for name in [KnownHeader.l5dCtxDtab, .l5dDtab] {
      for field in request.fields where field.id == name {
        var value = head[field.value][...]
        while let last = value.last, last == UInt8(ascii: ";") || last == UInt8(ascii: " ") { value = value.dropLast() }
        guard !value.isEmpty else { continue }
        key.append(separator)
        key.append(UnsafeRawBufferPointer(rebasing: value))
        separator = "\n;"
      }
    }
  }
}
