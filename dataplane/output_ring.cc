// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors
#include "dataplane/output_ring.hh"

#include <algorithm>

#include "base/check.hh"

namespace tollgate::dataplane {

void OutputRing::attach(MutableBytes memory) {
  *this = OutputRing{};
  memory_ = memory.data();
  size_bytes_ = static_cast<u32>(memory.size());
}

bool OutputRing::fits_behind(std::size_t size_bytes) const {
  const u32 limit = wrapped_ ? oldest_ : size_bytes_;
  return size_bytes <= limit - write_at_;
}

bool OutputRing::has_room(std::size_t size_bytes) const {
  if (fits_behind(size_bytes)) return true;
  if (held_bytes_ == 0) return size_bytes <= size_bytes_;
  return !wrapped_ && size_bytes <= oldest_;
}

MutableBytes OutputRing::reserve(std::size_t size_bytes) {
  reserved_bytes_ = 0;
  reserved_low_ = false;
  if (held_bytes_ == 0) {
    oldest_ = send_at_ = write_at_ = 0;
    wrapped_ = send_wrapped_ = false;
  }
  if (!fits_behind(size_bytes)) {
    if (wrapped_ || size_bytes > oldest_) return {};
    reserved_low_ = true;
  }
  reserved_bytes_ = static_cast<u32>(size_bytes);
  return {memory_ + (reserved_low_ ? 0 : write_at_), size_bytes};
}

void OutputRing::commit(std::size_t size_bytes) {
  check(size_bytes <= reserved_bytes_, "a commit is at most what was reserved");
  if (size_bytes == 0) return;
  const u32 count = static_cast<u32>(size_bytes);
  if (reserved_low_) {
    end_ = write_at_;
    wrapped_ = true;
    write_at_ = 0;
    reserved_low_ = false;
  }
  write_at_ += count;
  held_bytes_ += count;
  unsent_bytes_ += count;
  reserved_bytes_ -= count;
}

Bytes OutputRing::unsent() {
  if (unsent_bytes_ == 0) return {};
  if (wrapped_ && !send_wrapped_) {
    if (send_at_ < end_) return {memory_ + send_at_, end_ - send_at_};
    send_at_ = 0;
    send_wrapped_ = true;
  }
  return {memory_ + send_at_, write_at_ - send_at_};
}

void OutputRing::mark_sent(std::size_t size_bytes) {
  check(size_bytes <= unsent_bytes_, "only what was committed can be sent");
  send_at_ += static_cast<u32>(size_bytes);
  unsent_bytes_ -= static_cast<u32>(size_bytes);
}

void OutputRing::acknowledge(std::size_t size_bytes) {
  check(size_bytes <= held_bytes_ - unsent_bytes_, "only what was sent can be acknowledged");
  u32 left = static_cast<u32>(size_bytes);
  held_bytes_ -= left;
  if (wrapped_) {
    const u32 upper = std::min(left, end_ - oldest_);
    oldest_ += upper;
    left -= upper;
    if (oldest_ == end_) {
      if (!send_wrapped_) send_at_ = 0;
      oldest_ = 0;
      wrapped_ = send_wrapped_ = false;
    }
  }
  oldest_ += left;
}

}  // namespace tollgate::dataplane
