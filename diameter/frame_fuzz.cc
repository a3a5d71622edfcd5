// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// A stream cut in two different ways must give the same messages and the same error. The first
// octet seeds the cuts.
#include <random>
#include <vector>

#include "base/check.hh"
#include "diameter/frame.hh"
#include "diameter/header.hh"

namespace tollgate::diameter {
namespace {

struct Seen {
  std::vector<u8> octets;
  std::size_t message_count = 0;
  FrameError error = FrameError::none;
};

Seen run(Bytes stream, std::size_t chunk_bytes_max, u32 seed) {
  std::vector<u8> buffer(512);
  Framer framer(buffer);
  std::minstd_rand random(seed + 1);
  Seen seen;
  std::size_t at = 0;
  while (at < stream.size() && seen.error == FrameError::none) {
    const std::size_t chunk_bytes =
        std::min<std::size_t>(1 + random() % chunk_bytes_max, stream.size() - at);
    const FrameProgress progress = framer.feed(stream.subspan(at, chunk_bytes), [&](Bytes message) {
      check(message.size() >= header_bytes, "a message has a header");
      check(read_header(message).length_bytes == message.size(), "a message is as long as it says");
      seen.octets.insert(seen.octets.end(), message.begin(), message.end());
      return random() % 4 == 0 ? Take::stop_after : Take::next;
    });
    check(progress.consumed_bytes <= chunk_bytes, "no more is consumed than was given");
    check(progress.stopped || progress.error != FrameError::none ||
              progress.consumed_bytes == chunk_bytes,
          "all is consumed unless it was stopped");
    at += progress.consumed_bytes;
    seen.message_count += progress.message_count;
    seen.error = progress.error;
  }
  return seen;
}

}  // namespace
}  // namespace tollgate::diameter

extern "C" int LLVMFuzzerTestOneInput(const tollgate::u8* data, std::size_t size) {
  using namespace tollgate;
  if (size == 0) return 0;
  const Bytes stream = Bytes(data, size).subspan(1);
  const auto small = diameter::run(stream, 37, data[0]);
  const auto large = diameter::run(stream, 4096, data[0]);
  check(small.octets == large.octets, "the same octets however they are cut");
  check(small.message_count == large.message_count, "the same messages however they are cut");
  return 0;
}
