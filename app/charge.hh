// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Charger: one credit-control request into one entry of the journal (RFC 8506 sections 5 to 7).
//
//   a repeated request    gets the stored answer, nothing moves
//   INITIAL               account looked at, session made, quotas granted
//   UPDATE                what was used is settled, then granted anew where asked for
//   TERMINATION           settled, all holds released, session closed, charging data noted
//   EVENT                 debited (or refunded, checked, priced) at once; kept as a closed session,
//                         so that a repetition finds its answer
//
// The key of a request is its Session-Id, type and number. A request that is refused as a whole
// moves nothing and leaves no trace; only an INITIAL whose one service, at command level, is
// refused stays behind as a closed session, for its repetition, without charging data. One
// service's refusal is told in its own part of the answer and does not touch the others. A session
// keeps its last two answers; an older number that was answered before is refused as forgotten, and
// one that was never seen (it was overtaken) is carried out.
#pragma once

#include "app/charge_context.hh"
#include "app/quota.hh"
#include "app/tariff_reader.hh"
#include "ledger/command.hh"

namespace tollgate::app {

struct ChargeCounters {
  u64 requests;
  u64 repeated;
  u64 initial;
  u64 update;
  u64 termination;
  u64 event;
  u64 sessions_expired;
  u64 commands;
  u64 orders;
  u64 orders_taken;
  u64 orders_refused;
  u64 orders_unknown;
  u64 orders_silent;
  u64 orders_without_way;
  u64 refused_no_room;
  u64 refused_too_busy;
  u64 bursts;
  u64 sweeps_dropped;
  u64 drop_trace_full;
  u64 thresholds_crossed;
  // What requests and their services were told, by row of ledger::outcome_table behind `ok`.
  std::array<u64, ledger::outcome_table.size() - 1> told;
};

class Charger {
 public:
  // Without `tariffs` every session goes over to the image at hand.
  Charger(const ChargePolicy& policy, ChargeCounters& counters, const TariffReader* tariffs)
      : policy_(policy), counters_(counters), tariffs_(tariffs) {}

  // Carries the request out and finishes `op` with its answer. `may_move` false: the journal has no
  // room, so only what moves nothing is answered, the rest is too busy.
  void charge(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image,
              ChargeRequestView request, bool may_move);

  // The answer to the request that was charged last.
  const AnswerFrame& answer() const { return frame_; }

  // Ends a session whose client forgot it.
  void expire(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image, u32 session);

  // Ends a session that its client does not know (any more): as expire does.
  void forget(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image, u32 session);

  // A session that its client was told to end: if no TERMINATION comes, it ends by itself soon.
  void hasten(ledger::Shard& shard, ledger::Operation& op, u32 session);

  // Ends a session by an operator's word: holds go back, charging data is noted. The entry is not
  // finished.
  void drop(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image, u32 session);

 private:
  ledger::Outcome find_repeated(const ledger::Shard& shard, u32 session_index,
                                const ChargeRequest& request);
  const rating::Image& image_of(const ledger::Shard& shard, u32 session_index);
  static u32 account_of(const ledger::Shard& shard, const ChargeRequest& head);
  ledger::Outcome account_outcome(const ChargeContext& context) const;
  static void begin_use(const ChargeContext& context);
  ledger::Outcome carry_out(const ChargeContext& context, ChargeRequestView request,
                            u32 session_index);
  ledger::Outcome begin_session(const ChargeContext& context, ChargeRequestView request,
                                u32& session_index);
  bool has_extensions(const ChargeContext& context, ChargeRequestView request, u32 session_index);
  bool is_refused_beginning(const ChargeRequest& head) const;
  ledger::Outcome denial_of_all() const;
  // One service of the request at hand: where its quota lies and by which rule it is charged.
  struct Work {
    QuotaPlace place;
    ServiceRule found;
    bool wants_grant = false;
    bool is_pooled = false;    // and has it
    rating::UsageSoFar after;  // once the grant is used
  };
  void serve(const ChargeContext& context, ChargeRequestView request, u32 session_index);
  void keep_numbers(ChargeRequestView request, u32 session_index, ChargeContext& context);
  void settle_one(const ChargeContext& context, const ChargeService& service, u32 session_index,
                  bool is_last, Work& work, ledger::ServiceAnswer& answer);
  void settle_after(const ChargeContext& context, std::span<const ChargeService> services,
                    const ChargeService& after);
  void grant_all(const ChargeContext& context, ChargeRequestView request);
  void begin_grant(u32 number);
  void grant_one(const ChargeContext& context, const ChargeService& service, u32 number,
                 ledger::ServiceAnswer& answer);
  void set_deadline(const ChargeContext& context, u32 session_index);
  void tell_money(const ChargeContext& context, const ChargeRequest& head, u32 session_index);
  static Money cost_so_far(const ChargeContext& context, u32 session_index);
  ledger::Outcome event(const ChargeContext& context, ChargeRequestView request);
  ledger::Outcome carry_out_event(const ChargeContext& context, ChargeRequestView request);
  void add_cost(Unit currency, Money cost);
  void count_told(ledger::Outcome outcome);
  void end(ledger::Shard& shard, ledger::Operation& op, const rating::Image& image, u32 session,
           ledger::ClosingCause cause);
  void close(const ChargeContext& context, u32 session_index);
  void note_charging_data(const ChargeContext& context, u32 session_index,
                          ledger::ClosingCause cause);
  u64 add_extras(const ChargeContext& context, const ledger::SessionNumbers& numbers);
  void store_answer(const ChargeContext& context, u32 session_index);
  void load_answer(const ledger::Shard& shard, const ledger::Answer& stored);
  void touch_head(const ChargeContext& context, u32 session_index);

  const ChargePolicy& policy_;
  ChargeCounters& counters_;
  const TariffReader* tariffs_;
  const rating::Image* newest_ = nullptr;  // of the request at hand
  rating::Image older_;                    // that its session keeps
  AnswerFrame frame_;                      // of the request at hand
  std::array<Work, ledger::services_per_request_max> work_;
  rating::PriceFacts facts_;  // of the rule at hand, if it has functions
  struct ChargingNote {       // of the session that ends
    ledger::ChargingData data;
    std::array<u8, sizeof(ledger::Account::products) + sizeof(ledger::SessionNumbers)> extras;
  };
  ChargingNote note_;
  std::array<ledger::ChargingService, ledger::quotas_per_session_max> data_services_;
};

}  // namespace tollgate::app
