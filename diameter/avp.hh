// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Avp: one AVP where it lies in a message; AvpCursor: one after the other; AvpWriter: into a
// buffer.
//
// The cursor judges only what framing needs: that the header and the data lie inside, and that no
// reserved flag is set. What an AVP means, and which length its type asks for, is decode.hh's part.
// Order and padding follow RFC 6733 section 4: padding is not looked at, and the padding of the
// last AVP of a group may be missing.
#pragma once

#include "base/types.hh"
#include "diameter/dictionary_types.hh"
#include "diameter/wire.hh"

namespace tollgate::diameter {

struct Avp {
  u32 code = 0;
  u32 vendor = 0;
  u32 flags = 0;
  u32 header_bytes = 8;
  u32 length_bytes = 0;  // header and data, without padding
  const u8* at = nullptr;

  bool is(const AvpId& id) const { return code == id.code && vendor == id.vendor; }
  bool is_mandatory() const { return (flags & avp_flag_mandatory) != 0; }
  Bytes data() const { return {at + header_bytes, length_bytes - header_bytes}; }
  Bytes whole() const { return {at, length_bytes}; }
  u32 data_bytes() const { return length_bytes - header_bytes; }
  // The caller has judged the length.
  u32 as_u32() const { return load_u32(at + header_bytes); }
  u64 as_u64() const { return load_u64(at + header_bytes); }
};

enum class AvpStep : u8 {
  avp,         // `avp` is set
  end,         // nothing is left
  bad_length,  // header incomplete, length below the header or beyond the enclosing octets
  bad_flags,   // a reserved flag is set
};

class AvpCursor {
 public:
  // Walks the AVPs in `octets`: a message without its header, or the data of a group.
  explicit AvpCursor(Bytes octets) : at_(octets.data()), end_(octets.data() + octets.size()) {}

  // At bad_length and bad_flags `avp.at` is where the offender begins, and the cursor stays there.
  [[gnu::always_inline]] AvpStep next(Avp& avp) {
    const auto left = static_cast<std::size_t>(end_ - at_);
    if (left < 8) [[unlikely]] {
      avp.at = at_;
      return left == 0 ? AvpStep::end : AvpStep::bad_length;
    }
    // Whether there is a vendor changes from AVP to AVP: no branch hangs on it.
    const u64 head = load_u64(at_);
    const u32 has_vendor = static_cast<u32>(head) >> 31;
    avp.at = at_;
    avp.code = static_cast<u32>(head >> 32);
    avp.flags = static_cast<u32>(head) >> 24;
    avp.length_bytes = static_cast<u32>(head) & 0xffffff;
    avp.header_bytes = 8 + 4 * has_vendor;
    if (avp.length_bytes < avp.header_bytes || avp.length_bytes > left) [[unlikely]]
      return AvpStep::bad_length;
    // Reads the length again, to no effect, where there is no vendor.
    avp.vendor = load_u32(at_ + 4 + 4 * has_vendor) & (0u - has_vendor);
    if (head & (u64{avp_flags_reserved} << 24)) [[unlikely]]
      return AvpStep::bad_flags;
    const std::size_t step = padded(avp.length_bytes);
    if (step > left) [[unlikely]] {
      at_ = end_;
    } else {
      at_ += step;
    }
    return AvpStep::avp;
  }

  // What has not been walked yet; at an error it begins with the offender.
  Bytes rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }

 private:
  const u8* at_;
  const u8* end_;
};

// Finds the first AVP `id` in `octets`; stops silently at the first AVP that is out of shape.
bool find_first(Bytes octets, const AvpId& id, Avp& found);

// Writes AVPs with exact lengths and zero padding. It never writes past its buffer: once an AVP did
// not fit, nothing more is written and `size_bytes` is 0.
class AvpWriter {
 public:
  explicit AvpWriter(MutableBytes out)
      : begin_(out.data()), at_(out.data()), end_(out.data() + out.size()) {}

  void put_u32(const AvpId& id, u32 value) {
    if (u8* data = begin_avp(id, 4)) store_u32(data, value);
  }
  void put_u64(const AvpId& id, u64 value) {
    if (u8* data = begin_avp(id, 8)) store_u64(data, value);
  }
  void put_octets(const AvpId& id, Bytes octets) {
    if (u8* data = begin_avp(id, octets.size())) copy_padded(data, octets);
  }
  void put_text(const AvpId& id, std::string_view text) { put_octets(id, as_bytes(text)); }

  // Octets that are AVPs already: whole and padded, or padded here.
  void put_raw(Bytes avps) {
    if (u8* to = reserve(padded(avps.size()))) copy_padded(to, avps);
  }

  // Room for something of another form (a message header); nullptr if there is none.
  u8* reserve(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes) [[unlikely]] {
      overflow();
      return nullptr;
    }
    u8* const here = at_;
    at_ += bytes;
    return here;
  }

  // A group is opened, filled by the other calls, and closed with what opening returned.
  [[nodiscard]] u8* open(const AvpId& group) {
    u8* const here = at_;
    return begin_avp(group, 0) ? here : nullptr;
  }
  void close(u8* group) {
    if (group == nullptr || has_overflowed_) return;
    const u32 flags_and_length = load_u32(group + 4) & 0xff000000;
    store_u32(group + 4, flags_and_length | static_cast<u32>(at_ - group));
  }

  bool has_overflowed() const { return has_overflowed_; }
  std::size_t size_bytes() const {
    return has_overflowed_ ? 0 : static_cast<std::size_t>(at_ - begin_);
  }

 private:
  // Writes the header of an AVP with so much data, and returns where the data goes.
  u8* begin_avp(const AvpId& id, std::size_t data_bytes) {
    const std::size_t head_bytes = id.header_bytes();
    u8* const here = reserve(head_bytes + padded(data_bytes));
    if (here == nullptr) return nullptr;
    const u64 length = head_bytes + data_bytes;
    store_u64(here, (u64{id.code} << 32) | (u64{id.flags} << 24) | length);
    if (id.vendor != 0) store_u32(here + 8, id.vendor);
    return here + head_bytes;
  }
  static void copy_padded(u8* to, Bytes octets) {
    if (octets.empty()) return;
    const std::size_t padding = padded(octets.size()) - octets.size();
    std::memset(to + octets.size(), 0, padding);
    std::memcpy(to, octets.data(), octets.size());
  }
  void overflow() {
    has_overflowed_ = true;
    end_ = at_;
  }

  u8* begin_;
  u8* at_;
  u8* end_;
  bool has_overflowed_ = false;
};

}  // namespace tollgate::diameter
