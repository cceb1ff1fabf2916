#pragma once
#include <zlib.h>

/// A macro with a cast, which Swift cannot see: zlib and gzip wrappings alike.
static inline int mesh_inflate_init(z_stream *stream) { return inflateInit2(stream, 15 + 32); }
