// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ChargeRequest: a credit-control request as the charge tile sees it. What net_charge carries.
//
// The net tile has decoded the message, found the account (or the session) and with it the shard,
// and brought amounts into the units of the ledger. What the answer needs of the message besides
// (its identifiers, Session-Id, Proxy-Info) waits in the net tile, under the tag.
//
// A frame is: ChargeRequest, service_count ChargeService, after_count further ones, each of the key
// of one before it, with what was used of it after the tariff changed; ledger::SessionNumbers if
// the request has any; the Session-Id padded to eight octets.
#pragma once

#include <cstring>

#include "base/check.hh"
#include "base/types.hh"
#include "ledger/journal_format.hh"
#include "ledger/records.hh"

namespace tollgate::app {

// CC-Request-Type and Requested-Action (RFC 8506 8.3, 8.41); and what came of a request of ours
// (session_order.hh).
enum class RequestKind : u8 {
  none = 0,
  initial = 1,
  update = 2,
  termination = 3,
  event = 4,
  session_answer = 6,
};
// No request of a client but what a net tile tells: all sessions that origin_host has begun before
// received_ns are gone. A head without services; it is never charged and has no answer.
inline constexpr auto client_restarted = RequestKind{5};
enum class EventAction : u8 {
  direct_debiting = 0,
  refund_account = 1,
  check_balance = 2,
  price_enquiry = 3,
};

// Requested-Service-Unit: not there (report only), there but empty (we choose), or with units.
enum class Wanted : u8 { nothing = 0, anything = 1, units = 2 };

// Which of a ServiceUnits' values were in the message.
namespace unit_bit {
inline constexpr u8 time = 1;
inline constexpr u8 total_octets = 2;
inline constexpr u8 input_octets = 4;
inline constexpr u8 output_octets = 8;
inline constexpr u8 specific = 16;
inline constexpr u8 money = 32;
}  // namespace unit_bit

// What the client's profile (profile.hh) asks of the charge tile.
namespace habit {
inline constexpr u8 whole_denial = 1;  // if every service is denied, so is the whole
inline constexpr u8 tell_remaining = 2;
inline constexpr u8 tell_advice = 4;  // what the session has cost: Advice of Charge
inline constexpr u8 free_ends = 8;    // a session of free services only needs none: 4011
inline constexpr u8 knows_tariff_change = 16;
inline constexpr u8 knows_pools = 32;  // grants may share a pool
}  // namespace habit

// The stream that a request came on, as a session remembers it for requests of ours: net tile,
// place in its table, and the low bits of its generation. 0 is no way. That it leads to another
// stream after 8192 further ones in the same place does no harm: the client's name is looked at.
struct Way {
  u32 value = 0;

  static constexpr Way make(u32 tile, u32 index, u32 generation) {
    return {u32{1} << 31 | (tile & 0xf) << 27 | (index & 0x3fff) << 13 | (generation & 0x1fff)};
  }
  constexpr bool is_none() const { return value == 0; }
  constexpr u32 tile() const { return value >> 27 & 0xf; }
  constexpr u32 index() const { return value >> 13 & 0x3fff; }
  constexpr bool is_generation(u32 generation) const {
    return (value & 0x1fff) == (generation & 0x1fff);
  }
};

// Units asked for or used. Several reports of one service have been added up.
struct ServiceUnits {
  u32 time_s = 0;
  u32 reserved = 0;
  i64 total_octets = 0;
  i64 input_octets = 0;
  i64 output_octets = 0;
  i64 specific = 0;
  Money money;
};

struct ChargeService {
  u32 rating_group = 0;
  u32 service_identifier = 0;
  u8 flags = 0;  // ledger::service_flag
  Wanted wanted = Wanted::nothing;
  u8 asked_kinds = 0;            // unit_bit
  u8 used_kinds = 0;             // unit_bit
  Unit money_unit = Unit::none;  // currency of money asked for or used
  u8 is_final_report = 0;        // the client gives this rating group back
  // What normalising rules made of the two numbers above, by which prices are found; the client's
  // own are mirrored in answers. Bits of ledger::service_flag, and whether this counts at all.
  static constexpr u8 is_priced_apart = 0x80;
  // What is reported was used before the tariff changed, or after it (Tariff-Change-Usage).
  static constexpr u8 is_before_change = 0x40;
  static constexpr u8 is_after_change = 0x20;
  // No normalising rule fits: what is reported is priced as it came, and nothing more is granted.
  static constexpr u8 is_without_rule = 0x10;
  u8 priced_flags = 0;
  u32 priced_group = 0;
  u32 priced_identifier = 0;
  ServiceUnits asked;
  ServiceUnits used;
};
static_assert(sizeof(ChargeService) == 120);

struct ChargeRequest {
  ledger::AnswerTag tag;
  i64 received_ns = 0;
  u64 service_context = 0;  // rating::context_key
  u64 origin_host = 0;      // hash of the client's name
  ledger::AccountRef account;
  u32 number = 0;
  u32 session_hash = 0;
  RequestKind kind = RequestKind::none;
  EventAction action = EventAction::direct_debiting;
  u8 shard = 0;
  u8 habits = 0;  // habit
  u16 session_id_bytes = 0;
  u16 service_count = 0;
  Way way;
  u32 identity_check = 0;  // of the identity by which the account was found; 0: it was not by one
  u8 has_numbers = 0;      // ledger::SessionNumbers stand behind the services
  u8 after_count = 0;      // parts of services that were used after a tariff change
  u8 traces = 0;           // who watches it: ledger/trace.hh
  u8 reserved = 0;
};
static_assert(sizeof(ChargeRequest) == 64);

// A frame of net_charge, where it lies.
class ChargeRequestView {
 public:
  ChargeRequestView() = default;
  explicit ChargeRequestView(Bytes frame) : frame_(frame) {}

  const ChargeRequest& head() const {
    return *reinterpret_cast<const ChargeRequest*>(frame_.data());
  }
  std::span<const ChargeService> services() const {
    return {reinterpret_cast<const ChargeService*>(frame_.data() + sizeof(ChargeRequest)),
            head().service_count};
  }
  std::span<const ChargeService> used_after() const {
    return {services().data() + head().service_count, head().after_count};
  }
  // Where has_numbers says that they are there.
  const ledger::SessionNumbers& numbers() const {
    check(head().has_numbers != 0, "only of a request that has numbers");
    return *reinterpret_cast<const ledger::SessionNumbers*>(behind_services());
  }
  std::string_view session_id() const {
    const u64 numbers_bytes = head().has_numbers != 0 ? sizeof(ledger::SessionNumbers) : 0;
    return {reinterpret_cast<const char*>(behind_services() + numbers_bytes),
            head().session_id_bytes};
  }
  static u64 frame_bytes(u64 service_count, u64 session_id_bytes) {
    return sizeof(ChargeRequest) + service_count * sizeof(ChargeService) +
           round_up(session_id_bytes, 8);
  }

 private:
  const u8* behind_services() const {
    const u64 count = u64{head().service_count} + head().after_count;
    return frame_.data() + sizeof(ChargeRequest) + count * sizeof(ChargeService);
  }

  Bytes frame_;
};

// The answer as it is made up and as it travels: an Answer, and behind it the services after the
// first.
struct AnswerFrame {
  ledger::Answer answer;
  std::array<ledger::ServiceAnswer, ledger::services_per_request_max - 1> more;

  u64 bytes() const {
    const u64 count = answer.service_count > 1 ? answer.service_count - 1u : 0;
    return sizeof answer + count * sizeof(ledger::ServiceAnswer);
  }
  ledger::ServiceAnswer& service(u32 number) {
    return number == 0 ? answer.first : more[number - 1];
  }
  const ledger::ServiceAnswer& service(u32 number) const {
    return number == 0 ? answer.first : more[number - 1];
  }
  Bytes octets() const { return {reinterpret_cast<const u8*>(this), bytes()}; }
};
static_assert(offsetof(AnswerFrame, more) == sizeof(ledger::Answer));

}  // namespace tollgate::app
