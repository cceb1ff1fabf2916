import Foundation
import Testing

/// A client and a server of gRPC (Python's `grpcio`), with routers between them.
@Suite("gRPC", .enabled(if: Python.hasGRPC, "python3 has no grpcio: scripts/test installs it"))
struct GRPCTests {
  @Test("every kind of call, through one router and through two")
  func calls() throws {
    let second = Backend.freePort()
    let router = try Router(
      routers: """
        - protocol: h2
          label: one
          dtab: /svc => /#/io.l5d.fs
          client: {protocol: h2}
          servers:
          - port: $PORT
        - protocol: h2
          label: two
          dtab: /svc => /$/inet/127.0.0.1/$PORT
          client: {protocol: h2}
          servers:
          - port: \(second)
        """)
    let (status, output) = Python.run(
      Self.script, [router.directory + "/disco/grpc", "\(router.port)", "\(second)"])
    #expect(status == 0, "\(output)")
    #expect(output.contains("all well"), "\(output)")
    // The trailers tell which calls failed; the status was 200 for all.
    #expect(
      try AdminPage.sum(
        router, "meshrouter_client_attempts_total", "router=\"one\"", "result=\"failure\",reason=\"\"") >= 6)
    #expect(try AdminPage.sum(router, "meshrouter_client_in_flight") == 0)
  }

  private static let script = #"""
    import grpc, sys, time, threading
    from concurrent import futures
    raw = lambda b: b
    cancelled = threading.Event()
    strange = 'bad \u00e4\u4e2d % \n "x"'

    def unary(request, context):
        metadata = dict(context.invocation_metadata())
        if request == b'metadata':
            context.send_initial_metadata((('x-first', metadata['x-own']), ('x-first-bin', b'\x00\xff')))
            context.set_trailing_metadata((('x-last', 'b'), ('x-last-bin', metadata['x-own-bin'])))
        if request == b'strange':
            context.abort(grpc.StatusCode.NOT_FOUND, strange)
        if request == b'unavailable':
            context.abort(grpc.StatusCode.UNAVAILABLE, 'busy')
        if request == b'slow':
            context.add_callback(cancelled.set)
            time.sleep(2)
        if request == b'remaining':
            return str(context.time_remaining()).encode()
        return request

    def sink(requests, context):
        return b','.join(requests)

    def source(request, context):
        context.add_callback(cancelled.set)
        for i in range(int(request)):
            if int(request) > 1000 and not context.is_active():
                return
            yield b'%d' % i

    def both(requests, context):
        for request in requests:
            yield request
            if request == b'quit':
                context.abort(grpc.StatusCode.CANCELLED, 'enough')

    handlers = {
        'Unary': grpc.unary_unary_rpc_method_handler(unary, raw, raw),
        'Sink': grpc.stream_unary_rpc_method_handler(sink, raw, raw),
        'Source': grpc.unary_stream_rpc_method_handler(source, raw, raw),
        'Both': grpc.stream_stream_rpc_method_handler(both, raw, raw),
    }
    server = grpc.server(futures.ThreadPoolExecutor(30), options=[('grpc.max_receive_message_length', -1)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler('t.T', handlers),))
    port = server.add_insecure_port('127.0.0.1:0')
    server.start()
    open(sys.argv[1], 'w').write('127.0.0.1 %d\n' % port)

    def fails(call, code, text=None):
        try:
            call()
        except grpc.RpcError as error:
            assert error.code() == code, (error.code(), error.details())
            assert text is None or text in error.details(), error.details()
            return
        assert False, 'no failure'

    def options(authority):
        return [('grpc.default_authority', authority), ('grpc.max_receive_message_length', -1)]

    for through in sys.argv[2:]:
        channel = grpc.insecure_channel('127.0.0.1:' + through, options=options('grpc'))
        call = channel.unary_unary('/t.T/Unary', raw, raw)
        assert call(b'hello', timeout=20, wait_for_ready=True) == b'hello'
        assert call(b'', timeout=20) == b''
        large = bytes(range(256)) * (4 << 12)
        assert call(large, timeout=60) == large
        response, done = call.with_call(
            b'metadata', timeout=20, metadata=(('x-own', 'a'), ('x-own-bin', b'\x01\x02')))
        first, last = dict(done.initial_metadata()), dict(done.trailing_metadata())
        assert first['x-first'] == 'a' and first['x-first-bin'] == b'\x00\xff', first
        assert last['x-last'] == 'b' and last['x-last-bin'] == b'\x01\x02', last
        fails(lambda: call(b'strange', timeout=20), grpc.StatusCode.NOT_FOUND, strange)
        fails(lambda: call(b'unavailable', timeout=20), grpc.StatusCode.UNAVAILABLE, 'busy')
        fails(lambda: channel.unary_unary('/t.T/None', raw, raw)(b'', timeout=20), grpc.StatusCode.UNIMPLEMENTED)
        assert 40 < float(call(b'remaining', timeout=50)) < 55
        cancelled.clear()
        fails(lambda: call(b'slow', timeout=0.5), grpc.StatusCode.DEADLINE_EXCEEDED)
        assert cancelled.wait(20), 'a missed deadline does not reach the server'
        assert channel.stream_unary('/t.T/Sink', raw, raw)(iter([b'a', b'b', b'c']), timeout=20) == b'a,b,c'
        assert channel.stream_unary('/t.T/Sink', raw, raw)(iter([]), timeout=20) == b''
        source_call = channel.unary_stream('/t.T/Source', raw, raw)
        assert list(source_call(b'0', timeout=20)) == []
        assert list(source_call(b'500', timeout=20)) == [b'%d' % i for i in range(500)]
        both_call = channel.stream_stream('/t.T/Both', raw, raw)
        assert list(both_call(iter([b'a', b'b']), timeout=20)) == [b'a', b'b']
        # Answers come while the request goes on.
        gate = threading.Event()
        def slowly():
            yield b'a'
            assert gate.wait(20)
            yield b'b'
        answers = both_call(slowly(), timeout=30)
        assert next(answers) == b'a'
        gate.set()
        assert next(answers) == b'b'
        assert list(answers) == []
        # The caller cancels, then the server.
        cancelled.clear()
        stream = source_call(b'100000000')
        assert next(stream) == b'0'
        stream.cancel()
        assert cancelled.wait(20), 'a cancellation does not reach the server'
        def endless():
            yield b'quit'
            time.sleep(1)
            yield b'more'
        fails(lambda: list(both_call(endless(), timeout=20)), grpc.StatusCode.CANCELLED, 'enough')
        lost = grpc.insecure_channel('127.0.0.1:' + through, options=options('no-such-service'))
        fails(
            lambda: lost.unary_unary('/t.T/Unary', raw, raw)(b'', timeout=20), grpc.StatusCode.UNAVAILABLE,
            'bind.neg')
        many = [call.future(b'%d' % i, timeout=60) for i in range(500)]
        assert [one.result() for one in many] == [b'%d' % i for i in range(500)]
    print('all well')
    import os
    sys.stdout.flush()
    os._exit(0)
    """#
}
