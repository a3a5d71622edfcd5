// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/frame.hh"

#include <algorithm>
#include <cstring>

#include "base/check.hh"
#include "diameter/header.hh"
#include "diameter/wire.hh"

namespace tollgate::diameter {

std::string_view to_text(FrameError error) {
  switch (error) {
    case FrameError::none:
      return "none";
    case FrameError::wrong_version:
      return "wrong_version";
    case FrameError::length_too_short:
      return "length_too_short";
    case FrameError::length_too_long:
      return "length_too_long";
    case FrameError::length_unaligned:
      return "length_unaligned";
  }
  return "unknown";
}

ResultCode result_code(FrameError error) {
  if (error == FrameError::none) return ResultCode::none;
  return error == FrameError::wrong_version ? ResultCode::unsupported_version
                                            : ResultCode::invalid_message_length;
}

Framer::Framer(MutableBytes buffer) : buffer_(buffer) {
  check(buffer.size() >= header_bytes, "a reassembly buffer holds a header");
}

// Finds the length of the message whose header is at `header`, or the error.
bool Framer::judge(const u8* header, std::size_t& length_bytes) {
  const u32 word = load_u32(header);
  length_bytes = word & 0xffffff;
  if (word >> 24 != protocol_version) {
    error_ = FrameError::wrong_version;
  } else if (length_bytes < header_bytes) {
    error_ = FrameError::length_too_short;
  } else if (length_bytes > buffer_.size()) {
    error_ = FrameError::length_too_long;
  } else if (length_bytes % 4 != 0) {
    error_ = FrameError::length_unaligned;
  }
  return error_ == FrameError::none;
}

// Fills the buffer from the chunk until it holds so many octets; false if the chunk ended before.
bool Framer::gather(Bytes chunk, std::size_t until_bytes, FrameProgress& progress) {
  check(until_bytes <= buffer_.size(), "gathers within the buffer");
  if (buffered_bytes_ >= until_bytes) return true;
  const Bytes rest = chunk.subspan(progress.consumed_bytes);
  const std::size_t count = std::min(rest.size(), until_bytes - buffered_bytes_);
  if (count != 0) std::memcpy(buffer_.data() + buffered_bytes_, rest.data(), count);
  buffered_bytes_ += count;
  progress.consumed_bytes += count;
  return buffered_bytes_ == until_bytes;
}

bool Framer::next(Bytes chunk, FrameProgress& progress, Step& step) {
  progress.error = error_;
  if (error_ != FrameError::none) return false;
  std::size_t length_bytes = 0;
  const Bytes rest = chunk.subspan(progress.consumed_bytes);
  if (buffered_bytes_ == 0 && rest.size() >= header_bytes && judge(rest.data(), length_bytes) &&
      length_bytes <= rest.size()) {
    step = {.message = rest.first(length_bytes), .is_gathered = false};
    return true;
  }
  if (!gather(chunk, header_bytes, progress)) return false;
  if (!judge(buffer_.data(), length_bytes)) {
    progress.error = error_;
    return false;
  }
  if (!gather(chunk, length_bytes, progress)) return false;
  step = {.message = buffer_.first(length_bytes), .is_gathered = true};
  return true;
}

void Framer::taken(const Step& step, FrameProgress& progress) {
  ++progress.message_count;
  if (step.is_gathered) {
    buffered_bytes_ = 0;
  } else {
    progress.consumed_bytes += step.message.size();
  }
}

}  // namespace tollgate::diameter
