// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Refusal, and the walk that judges AVPs: what every decoder of requests shares.
//
// A request that cannot be accepted gets a Refusal: the Result-Code (its thousands tell the E bit)
// and the content of Failed-AVP, as RFC 6733 section 7.5 asks: the offender, and for one inside of
// groups the chain of groups that leads to it, without siblings. The rules:
//
//   reserved AVP flag           3009  offender
//   unknown AVP with M          5001  offender; without M it is ignored
//   value out of range          5004  offender
//   mandatory AVP absent        5005  example: right code and vendor, zeros of the least size
//   two that exclude each other 5007  both
//   one too many                5009  the first beyond the limit
//   deeper or more than limits  5012  none
//   length wrong                5014  header with zeros of the least size
//
// Known AVPs are accepted with any M (real peers differ in 21 kinds), V with vendor 0 is an IETF
// AVP, and the P flag is ignored; so nothing is left that would be 5016.
#pragma once

#include <array>

#include "base/types.hh"
#include "diameter/avp.hh"
#include "diameter/dictionary.hh"
#include "diameter/header.hh"
#include "diameter/result_code.hh"

namespace tollgate::diameter {

// Limits of one message. 0xffffff octets of nested groups are no reason to lose a tile.
inline constexpr u32 avp_depth_max = 8;
inline constexpr u32 avp_count_max = 2048;

class Refusal {
 public:
  // Content of Failed-AVP; an offender that is longer is cut, its length set accordingly.
  static constexpr std::size_t failed_bytes_max = 512;

  ResultCode result_code() const { return result_code_; }
  // The AVPs that go into Failed-AVP, padded; empty if there are none.
  Bytes failed_avps() const { return {failed_.data(), failed_bytes_}; }

  void set(ResultCode code) {
    result_code_ = code;
    failed_bytes_ = 0;
  }
  // Adds an offender as it was received.
  void add_offender(const Avp& avp);
  // Adds the header that `from` begins with (perhaps cut: what is missing is zero), its length put
  // right, with zeros of the least size of its type.
  void add_bad_length(Bytes from);
  // Adds an example of an absent AVP.
  void add_example(const AvpId& id);
  // Puts what was added so far into `group`.
  void wrap(const Avp& group);

 private:
  // Appends a header and so many zeros, fewer if they do not fit, and returns these.
  MutableBytes append(const AvpId& id, std::size_t data_bytes);

  ResultCode result_code_ = ResultCode::none;
  u16 failed_bytes_ = 0;
  std::array<u8, failed_bytes_max> failed_;  // not cleared: one is made for every message
};

// How many AVPs one message may still have. Passed down the groups.
struct WalkBudget {
  u32 avps_left = avp_count_max;
};

// The refusals of a walk; each returns false, so that a decoder can return its result.
// They take copies, for they are rare. What is called for each AVP takes references: a copy would
// read in wide words what was just written in narrow ones, and wait for it.
// `step` is bad_length or bad_flags, `avp` what the cursor gave with it, `rest` its rest.
bool refuse_step(AvpStep step, Avp avp, Bytes rest, Refusal& refusal);
bool refuse_length(Avp avp, Refusal& refusal);
bool refuse_unknown(Avp avp, Refusal& refusal);
// What to do when has_right_size is false: true if it is unknown and may be ignored.
[[gnu::cold]] bool ignore_or_refuse(Avp avp, AvpShape shape, Refusal& refusal);
bool refuse_value(Avp avp, Refusal& refusal);
bool refuse_repeated(Avp avp, Refusal& refusal);
bool refuse_missing(const AvpId& id, Refusal& refusal);
bool refuse_limits(Refusal& refusal);

// Judges an AVP that the caller does not look into: known or not, its size, and the members of a
// known group. `depth` is that of `avp`, 1 for one that stands in the message itself.
[[nodiscard]] bool check_avp(const Avp& avp, u32 depth, WalkBudget& budget, Refusal& refusal);
// Judges all AVPs of a message or group.
[[nodiscard]] bool check_avps(Bytes octets, u32 depth, WalkBudget& budget, Refusal& refusal);

// Judges a whole message by the dictionary: every AVP as above, and for a request the members that
// its command must have and may have (5005, 5009). For commands without a decoder of their own.
// The message begins with a sound header.
[[nodiscard]] bool check_message(Bytes message, Refusal& refusal);

}  // namespace tollgate::diameter
