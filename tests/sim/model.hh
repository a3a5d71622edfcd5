// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Model: the ledger once more, as small as it can be said, to hold the appliance against.
//
// It shares no code with what it judges: plain containers, amounts as numbers, and a tariff of two
// plans that it knows by heart (tariff_text is the same one for the appliance). It is told what the
// charge tiles carried out, in which order and when; it says what had to be answered, and what the
// accounts hold afterwards. A model that was made anew from the operations that survived a crash is
// the state that recovery has to find.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "ledger/command.hh"
#include "ledger/threshold.hh"
#include "tests/sim/request.hh"

namespace tollgate::sim {

inline constexpr i64 session_silence_s = 7200;
inline constexpr i64 closed_linger_s = 3600;
extern const char* const tariff_text;
extern const char* const metered_plan;  // money only
extern const char* const pack_plan;     // octets first, then money
extern const ledger::Thresholds thresholds;

struct ModelBucket {
  // What a transfer to another shard leaves behind at its two ends pays for nothing.
  // A limit of a member repeats what moves in its payer's buckets, and is no money.
  enum class Role : u8 { pays, sent, received, limit };
  u64 id = 0;
  Role role = Role::pays;
  u64 transfer = 0;         // of one that was sent or received
  ledger::NewBucket terms;  // its amount means nothing here
  i64 put_in = 0;
  i64 balance = 0;
  i64 reserved = 0;
  i64 consumed = 0;
};

bool is_usable(const ModelBucket& bucket, Instant at);

struct ModelAccount {
  ledger::AccountRef place;
  u32 plan = 0;
  ledger::AccountState state = ledger::AccountState::active;
  i64 valid_until_s = 0;             // 0: for ever
  i64 credit_limit = 0;              // of its last bucket of money
  u32 payer = 0;                     // the number of an account; 0: nobody
  std::vector<ModelBucket> buckets;  // in the order in which they pay
};

// A bucket fell below a threshold.
struct ModelCrossing {
  u32 account;
  Unit unit;
  i64 threshold;

  friend auto operator<=>(const ModelCrossing&, const ModelCrossing&) = default;
};

struct ModelQuota {
  u32 rating_group = 0;
  i64 granted = 0;
  i64 used_by_money = 0;
  i64 used_by_allowance = 0;
  i64 cost = 0;
  struct Hold {
    u64 bucket;
    i64 amount;
  };
  std::vector<Hold> holds;
};

struct ModelSession {
  u32 subscriber = 0;  // the account
  bool is_open = true;
  Context context = Context::data;
  i64 deadline_ns = 0;
  std::set<u32> updates;  // numbers that were answered
  std::deque<ExpectedAnswer> answers;
  std::vector<ModelQuota> quotas;
};

class Model {
 public:
  // A request that a charge tile took. `may_move` false: the journal had no room.
  struct Reply {
    ExpectedAnswer answer;
    bool is_repeated = false;
    bool has_effect = false;
  };
  Reply carry_out(const Question& question, Instant at, bool may_move);

  // A command; `place` is where a new account was put, which is the appliance's to choose.
  struct CommandReply {
    Outcome outcome = Outcome::ok;
    bool has_balance = false;
    i64 balance = 0;
    bool has_effect = false;
    bool is_repeated = false;
    bool is_in_transit = false;
  };
  CommandReply carry_out(const ledger::Command& command, ledger::AccountRef place, Instant at,
                         bool may_move);

  // What the last operation crossed, in any order.
  const std::vector<ModelCrossing>& crossings() const { return crossings_; }

  // A session that ended by its timer. Throws if it may not.
  void expire(const std::string& session_id, Instant at);
  // A closed session that the appliance forgot; and one that it knows again after a crash.
  void forget(const std::string& session_id);
  bool remember(const std::string& session_id);

  // Accounts by number (the same as their id), sessions by Session-Id.
  const std::map<u32, ModelAccount>& accounts() const { return accounts_; }
  const std::map<std::string, ModelSession>& sessions() const { return sessions_; }
  const std::map<std::string, ModelSession>& forgotten() const { return forgotten_; }

  // What the session that ended last had cost, in micros.
  i64 last_closing_cost() const { return last_closing_cost_; }

  // Throws if what was put in is not still there, by unit. A transfer between shards moves nothing
  // out or in: what was sent counts at the source for as long as the target has no mark of it.
  void check_conservation() const;
  // By commands, less what removed accounts took with them.
  const std::map<Unit, i64>& put_in() const { return put_in_; }

 private:
  enum class Verdict : u8 { absent, free, barred, charged };
  struct Rule {
    Verdict verdict = Verdict::absent;
    bool pays_with_octets = false;
    i64 setup = 0;
    i64 price = 0;  // of a block
    i64 block = 1;
    i64 granule = 1;
    i64 grant_size = 0;
    i64 grant_max = 0;  // 0: no end
    i64 threshold_percent = 0;
    u32 validity_s = 0;
    LastAction last = LastAction::terminate;
  };
  static Rule rule_for(u32 plan, Context context, u32 rating_group);
  static i64 cost_of(const Rule& rule, i64 quantity);
  struct Payer {
    ModelAccount* purse;  // whose bucket it is: the account's own or its payer's
    ModelBucket* bucket;
    i64 available;
    bool is_money;
  };
  struct Payers {
    std::vector<Payer> all;
    i64 octets = 0;
    i64 money = 0;
    ModelAccount* last_purse = nullptr;
    ModelBucket* last_money = nullptr;  // may go below zero
    bool is_cut = false;                // more could pay than were wanted
  };
  struct Cover {
    i64 octets = 0;  // covered by, and their cost as well
    i64 by_money = 0;
    i64 cost = 0;
    i64 missing = 0;
  };
  static Cover cover(const Rule& rule, i64 used_by_money, i64 wanted, const Payers& payers,
                     i64 granule);
  // Families (model_family.cc).
  std::vector<ModelAccount*> purses_of(ModelAccount& account, Instant at);
  static void offer(ModelAccount& account, const Payer& payer, Payers& payers);
  Payers find_payers(ModelAccount& account, const Rule& rule, Instant at, std::size_t payers_max,
                     const std::vector<ModelQuota::Hold>& held);
  static void move(ModelAccount& account, const Payer& payer, i64 amount, i64 ModelBucket::*from,
                   i64 ModelBucket::*to);
  static void take(ModelAccount& account, const Payers& payers, const Cover& cover,
                   i64 ModelBucket::*into, std::vector<ModelQuota::Hold>* holds);
  Payer held_bucket(ModelAccount& account, u64 id);
  static ModelBucket* limit_of(ModelAccount& account, Unit unit);
  bool has_open_session(u32 number) const;

  void release(ModelAccount& account, ModelQuota& quota);
  Outcome settle(ModelAccount& account, const Rule& rule, const AskedService& service,
                 ModelQuota& quota, Instant at);
  void grant(ModelAccount& account, const Rule& rule, const AskedService& service,
             ModelQuota& quota, Instant at, ExpectedService& answer);
  void begin_use(u32 subscriber);
  void serve(ModelSession& session, const Question& question, Instant at, ExpectedAnswer& answer);
  ExpectedService settle_one(ModelSession& session, const Question& question,
                             const AskedService& service, Instant at);
  static ModelQuota& quota_of(ModelSession& session, u32 rating_group);
  Reply answer(const Question& question, Instant at, bool may_move);
  Outcome event(const Question& question, Instant at, Reply& reply);
  Outcome refund(ModelAccount& account, const Question& question, Instant at, Reply& reply);
  void close(ModelSession& session, Instant at);
  static ledger::AccountState state_at(const ModelAccount& account, Instant at);
  Outcome account_outcome(u32 subscriber, Instant at) const;
  Outcome find_repeated(const ModelSession& session, const Question& question, Reply& reply) const;
  ModelBucket& add_bucket(ModelAccount& account, const ledger::NewBucket& terms);
  ModelBucket& add_end(ModelAccount& account, ModelBucket::Role role, Unit unit, u64 transfer);
  static ModelBucket* end_of_transfer(ModelAccount& account, ModelBucket::Role role, u64 transfer);
  static void remove_bucket(ModelAccount& account, u64 id);
  static void shift(ModelBucket& bucket, i64 amount);
  static ModelBucket* same_terms(ModelAccount& account, const ledger::NewBucket& terms);
  static ModelBucket* first_of(ModelAccount& account, Unit unit, Instant at);
  void put(ModelBucket& bucket, i64 amount);
  CommandReply obey(const ledger::Command& command, ledger::AccountRef place, Instant at);
  void command_set(ModelAccount& account, const ledger::Command& command, CommandReply& reply);
  void command_refund(ModelAccount& account, const ledger::Command& command, Instant at,
                      CommandReply& reply);
  void command_payer(ModelAccount& account, const ledger::Command& command, CommandReply& reply);
  void command_limit(ModelAccount& account, const ledger::Command& command, CommandReply& reply);
  // Products (model_product.cc).
  void command_turn(ModelAccount& account, const ledger::Command& command, Instant at,
                    CommandReply& reply);
  void bring(ModelAccount& account, const ledger::NewBucket& entry, i64 rollover, Instant at);
  static void set_validity(ModelAccount& account, u64 id, u32 valid_from_s, u32 expires_s);
  static void insert(ModelAccount& account, const ModelBucket& bucket);
  void command_product(ModelAccount& account, const ledger::Command& command, Instant at,
                       CommandReply& reply);
  std::map<u64, i64> worths() const;
  void look_for_crossings(const std::map<u64, i64>& before);
  void command_create(const ledger::Command& command, ledger::AccountRef place,
                      CommandReply& reply);
  void command_top_up(ModelAccount& account, const ledger::NewBucket& wanted, CommandReply& reply);
  void command_adjust(ModelAccount& account, const ledger::Command& command, Instant at,
                      CommandReply& reply);
  void command_remove(u32 number, CommandReply& reply);
  void command_transfer(ModelAccount& account, const ledger::Command& command, Instant at,
                        CommandReply& reply);
  void command_send(ModelAccount& account, const ledger::Command& command, Instant at,
                    CommandReply& reply);
  void command_receive(ModelAccount& account, const ledger::Command& command, Instant at,
                       CommandReply& reply);
  void command_end_transfer(ModelAccount& account, const ledger::Command& command, Instant at,
                            CommandReply& reply);
  void command_drop(const ledger::Command& command, Instant at, CommandReply& reply);

  std::map<u32, ModelAccount> accounts_;
  std::map<std::string, ModelSession> sessions_;
  std::map<std::string, ModelSession> forgotten_;
  u64 next_bucket_ = 1;
  i64 last_closing_cost_ = 0;
  std::map<Unit, i64> put_in_;
  std::vector<ModelCrossing> crossings_;
};

}  // namespace tollgate::sim
