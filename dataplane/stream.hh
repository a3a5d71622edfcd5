// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Stream: octets in, octets out, writable, closed. All that the rest of Tollgate knows of a
// network.
//
// A Transport carries streams; a StreamHandler is told what happens to them. The tile calls `poll`
// in its loop; the handler is called from inside `poll` and `resume` only, never from elsewhere, so
// there are no threads, locks or surprises. One turn of `poll` is: take a burst of frames, run them
// through the protocol (the handler sees the octets), run the timers, offer again what was not
// read, `flush`, send the burst. Nothing in it allocates, blocks or waits.
//
// Input. `received` is given a contiguous chunk that follows the boundaries of packets, so a
// message may be split over calls: the handler keeps the beginning of an unfinished message itself
// and returns the whole chunk as consumed. Consuming less is how it says "not now": the rest stays
// in the receive buffers, the window of the peer shrinks by it, nothing of that stream that came
// later is offered before it, and it is offered again in each `poll` (and at once by `resume`)
// until it is consumed. The chunk is valid during the call only.
//
// Output. The caller encodes in place: `reserve` a contiguous piece of the stream's output buffer,
// write into it, `commit` what was used; any number of times. The octets leave at the next `flush`
// (which ends every `poll`): one write and one output for each stream touched, however many answers
// it got. An empty span means that the buffer is full: keep the answer and wait for `writable`.
// The span is valid until the next `reserve` or `poll` of the same stream.
//
// The end. After `opened` there is exactly one `closed`, whoever ended it and however. `close`
// lets committed output leave first (for at most a bounded time); `abort` does not. Both may be
// called from inside the handler; `closed` follows in this `poll` or a later one, and no `received`
// comes between. A StreamId stays unique for the life of the transport: an id whose stream has
// ended is refused by every call, quietly.
//
// Limits are fixed when the transport is made: streams, half-open connections, output of a stream.
// What is beyond is refused and counted (dataplane/counters.hh).
#pragma once

#include <string>

#include "base/time.hh"
#include "base/types.hh"
#include "dataplane/counters.hh"
#include "dataplane/endpoint.hh"

namespace tollgate::dataplane {

// The index is dense (below the transport's stream_count_max), so a caller may keep an array beside
// it; the generation tells a stream from the one that had the same index before. Generation 0 is
// never used: it is "no stream".
struct StreamId {
  u32 index = 0;
  u32 generation = 0;

  bool is_set() const { return generation != 0; }
  friend constexpr auto operator<=>(StreamId, StreamId) = default;
};

enum class Direction : u8 { incoming, outgoing };

enum class CloseReason : u8 {
  local,          // `close` or `abort` was called
  remote,         // the peer ended it in good order
  reset,          // the peer reset it
  refused,        // connect: the peer has nothing listening there
  unreachable,    // connect: no answer, or no way there
  timeout,        // the peer stopped acknowledging
  out_of_memory,  // the transport could not carry it any longer
};
std::string_view to_text(CloseReason reason);

class StreamHandler {
 public:
  virtual ~StreamHandler() = default;

  virtual void opened(StreamId id, const Endpoint& remote, Direction direction) = 0;

  // Returns how many octets of the front of `chunk` were consumed, at most its size.
  [[nodiscard]] virtual std::size_t received(StreamId id, Bytes chunk) = 0;

  // There is room again for the size that `reserve` refused last.
  virtual void writable(StreamId id) { static_cast<void>(id); }

  virtual void closed(StreamId id, CloseReason reason) = 0;

  // A `connect` that never came to `opened`.
  virtual void connect_failed(StreamId id, CloseReason reason) {
    static_cast<void>(id);
    static_cast<void>(reason);
  }
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Takes connections to `local` from now on (an unset or any-address: all of ours).
  // Returns an empty text, or why not, as a sentence.
  [[nodiscard]] virtual std::string listen(const Endpoint& local) = 0;

  // Begins a connection; `opened` or `connect_failed` follows in a later `poll`.
  // Returns an unset id if the limit of streams is reached.
  [[nodiscard]] virtual StreamId connect(const Endpoint& remote) = 0;

  // A contiguous piece of exactly `size_bytes` of the stream's output buffer, or an empty span if
  // there is no room, or the stream has ended. What an earlier `reserve` gave and no `commit` took
  // is given again.
  [[nodiscard]] virtual MutableBytes reserve(StreamId id, std::size_t size_bytes) = 0;

  // The first `size_bytes` of what `reserve` gave are to be sent.
  virtual void commit(StreamId id, std::size_t size_bytes) = 0;

  // Hands all that was committed to the protocol, once for each stream touched. `poll` ends with
  // it.
  virtual void flush() = 0;

  // Offers what `received` left unread at once, instead of in the next `poll`. Not from inside the
  // handler.
  virtual void resume(StreamId id) = 0;

  // Ends the stream after its committed output; unread input is thrown away.
  virtual void close(StreamId id) = 0;

  // Ends the stream now.
  virtual void abort(StreamId id) = 0;

  // One turn. Returns how many frames (or, over kernel sockets, events) it handled: 0 is idle.
  virtual std::size_t poll(Instant now) = 0;

  // How long the input that was offered last had been waiting for us, as far as the transport can
  // tell: zero as long as each turn takes all there is.
  virtual Duration lag() const { return {}; }

  // Streams that are open, opening or closing.
  virtual std::size_t stream_count() const = 0;

  // Counts since the transport was made.
  virtual const TransportCounters& counters() const = 0;
};

}  // namespace tollgate::dataplane
