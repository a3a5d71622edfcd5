// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Framer: a stream of octets into messages.
//
// A message that lies whole in the chunk is handed on where it lies; only one that is cut by the
// end of a chunk is gathered in the connection's own buffer, whose size is also the limit of a
// message. The callee may stop the flow after or before any message (its queues are full): feed
// then tells how many octets it took, and the caller feeds the rest later.
//
// After an error the stream has lost its frames: answer with `broken_header` if wanted, and close.
#pragma once

#include <concepts>

#include "base/types.hh"
#include "diameter/result_code.hh"

namespace tollgate::diameter {

// The octets of a connection's reassembly buffer, so of the longest message that is accepted.
inline constexpr std::size_t message_bytes_max_default = 65536;

enum class FrameError : u8 {
  none,
  wrong_version,     // the first octet is not 1
  length_too_short,  // below the header's own 20 octets
  length_too_long,   // above the limit of this connection
  length_unaligned,  // not a multiple of 4
};

std::string_view to_text(FrameError error);
// What to answer, without Failed-AVP and before closing: 5011 or 5015.
ResultCode result_code(FrameError error);

// What the callee says to a message.
enum class Take : u8 {
  next,         // taken, go on
  stop_after,   // taken, but hand me no more in this call
  stop_before,  // not taken: hand it to me again at the next call
};

struct FrameProgress {
  std::size_t consumed_bytes = 0;  // of the chunk: feed the rest again later
  std::size_t message_count = 0;   // taken
  bool stopped = false;            // by the callee
  FrameError error = FrameError::none;
};

class Framer {
 public:
  // `buffer` belongs to the connection, outlives the framer and holds at least one header.
  explicit Framer(MutableBytes buffer);

  // Calls on_message(Bytes) -> Take for each whole message. The octets of a message are valid
  // during the call only. An empty chunk offers a message again that was refused.
  template <std::invocable<Bytes> OnMessage>
  FrameProgress feed(Bytes chunk, OnMessage&& on_message) {
    FrameProgress progress;
    Step step;
    while (next(chunk, progress, step)) {
      const Take take = on_message(step.message);
      if (take != Take::stop_before) taken(step, progress);
      if (take != Take::next) {
        progress.stopped = true;
        break;
      }
    }
    return progress;
  }

  // Octets of an unfinished message that wait in the buffer.
  std::size_t buffered_bytes() const { return buffered_bytes_; }
  // The 20 octets of the header that could not be accepted; empty before an error.
  Bytes broken_header() const {
    return buffer_.first(error_ == FrameError::none ? 0 : buffered_bytes_);
  }

 private:
  struct Step {
    Bytes message;
    bool is_gathered = false;
  };
  bool next(Bytes chunk, FrameProgress& progress, Step& step);
  bool gather(Bytes chunk, std::size_t until_bytes, FrameProgress& progress);
  bool judge(const u8* header, std::size_t& length_bytes);
  void taken(const Step& step, FrameProgress& progress);

  MutableBytes buffer_;
  std::size_t buffered_bytes_ = 0;
  FrameError error_ = FrameError::none;
};

}  // namespace tollgate::diameter
