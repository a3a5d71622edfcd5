// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Random sessions, with what networks do to requests: sent twice, late, in another order, in
// bursts, across restarts. A model of a few lines counts with: per account what was paid in, per
// session what was used. After each round the ledger must agree to the last millionth.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

constexpr u32 account_count = 4;
constexpr i64 block_octets = 102'400;
constexpr i64 block_price = 10'000;  // 0.01 EUR

i64 price_of(i64 octets) {
  return (octets + block_octets - 1) / block_octets * block_price;
}

// One request and, once it was answered, what the client knows.
struct Request {
  std::vector<u64> frame;
  u32 account = 0;
  u32 session = 0;
  i64 used = 0;  // octets of rating group 10
  bool is_carried_out = false;
};

struct Session {
  u32 account = 0;
  u32 next_number = 0;  // the same as that of the INITIAL: the type tells them apart
  bool is_over = false;
  i64 used = 0;
};

class World {
 public:
  explicit World(u32 seed) : random_(seed) {
    rig_.load_tariff(SOURCE_ROOT "/config/tariffs");
    for (u32 i = 0; i < account_count; ++i) {
      ledger::Command command{.kind = ledger::CommandKind::create_account,
                              .bucket_count = 1,
                              .plan = rating::plan_id("prepaid"),
                              .account_id = i + 1,
                              .state = ledger::AccountState::active};
      command.buckets[0] = {.amount = Amount{put_in_}, .unit = Unit::eur};
      accounts_.push_back(rig_.command(command).account);
    }
  }

  // Some requests, each of them perhaps twice, shuffled, taken by the tile as one burst.
  void round() {
    std::vector<u32> batch;
    const u32 count = pick(1, 12);
    for (u32 i = 0; i < count; ++i) batch.push_back(make_request());
    for (u32 i = 0; i < count; ++i) {
      if (pick(0, 3) == 0) batch.push_back(batch[i]);
      if (pick(0, 5) == 0) batch.push_back(pick(0, static_cast<u32>(requests_.size()) - 1));
    }
    std::shuffle(batch.begin(), batch.end(), random_);
    for (const u32 number : batch) {
      auto* head = reinterpret_cast<ChargeRequest*>(requests_[number].frame.data());
      head->tag = ledger::AnswerTag::net(0, number + 1);
      rig_.send({reinterpret_cast<const u8*>(requests_[number].frame.data()),
                 requests_[number].frame.size() * 8});
    }
    u32 answered = 0;
    rig_.turn([&](u64 tag, const AnswerFrame& answer) {
      ++answered;
      learn(requests_[tag - 1], answer);
    });
    ASSERT_EQ(answered, batch.size());
  }

  void sometimes() {
    if (pick(0, 40) == 0) rig_.restart();
    if (pick(0, 20) == 0) rig_.wait(Duration::seconds(pick(1, 90)));
    if (pick(0, 30) == 0) rig_.set_journal_full(pick(0, 1) == 0);
  }

  // Paid = the price of what the sessions used; and the ledger's own rules.
  void compare() {
    ASSERT_EQ(rig_.fault(), "");
    std::vector<i64> paid(account_count);
    for (const auto& [number, session] : sessions_) {
      paid[session.account] += price_of(session.used);
    }
    for (u32 i = 0; i < account_count; ++i) {
      const ledger::Shard shard = rig_.shard(accounts_[i].shard());
      const ledger::Bucket& bucket = shard.bucket(shard.account(accounts_[i].index()).first_bucket);
      ASSERT_EQ(bucket.consumed.count, paid[i]) << "account " << i;
      ASSERT_EQ(bucket.balance.count + bucket.reserved.count, put_in_ - paid[i]);
    }
  }

  // All sessions end: nothing is held any more, and each has told its use once.
  void finish() {
    rig_.set_journal_full(false);
    rig_.wait(Duration::seconds(3 * 7200));
    compare();
    std::map<std::string, u32> told;
    for (const ChargingNote& note : rig_.notes()) ++told[note.session_id];
    for (const auto& [session, count] : told) EXPECT_EQ(count, 1u) << session;
    for (const ledger::AccountRef account : accounts_) {
      const ledger::Shard shard = rig_.shard(account.shard());
      EXPECT_EQ(shard.bucket(shard.account(account.index()).first_bucket).reserved.count, 0);
    }
  }

  u64 carried_out() const { return carried_out_; }

 private:
  u32 pick(u32 least, u32 most) { return std::uniform_int_distribution<u32>(least, most)(random_); }

  u32 make_request() {
    Request request;
    RequestKind kind = RequestKind::update;
    u32 session = pick(0, session_count_);
    u32 number = 0;
    if (session == session_count_ || pick(0, 4) == 0) {
      session = session_count_++;
      sessions_[session].account = pick(0, account_count - 1);
      kind = RequestKind::initial;
    } else {
      kind = pick(0, 6) == 0 ? RequestKind::termination : RequestKind::update;
      number = sessions_[session].next_number++;
      if (pick(0, 9) == 0) number = sessions_[session].next_number++;  // one is lost for ever
    }
    request.session = session;
    request.account = sessions_[session].account;
    if (kind != RequestKind::initial) request.used = i64{pick(0, 3)} * pick(0, 400'000);
    write(request, kind, number);
    requests_.push_back(std::move(request));
    return static_cast<u32>(requests_.size()) - 1;
  }

  void write(Request& request, RequestKind kind, u32 number) {
    const std::string session_id = fmt::format("gw.example;{};{}", request.session, seed_salt_);
    const u32 service_count = pick(1, 3);
    request.frame.resize(ChargeRequestView::frame_bytes(service_count, session_id.size()) / 8);
    u8* at = reinterpret_cast<u8*>(request.frame.data());
    auto* head = new (at) ChargeRequest;
    *head = {.service_context = rating::context_key("32251@3gpp.org"),
             .account = accounts_[request.account],
             .number = number,
             .session_hash = ledger::Shard::session_hash(session_id),
             .kind = kind,
             .shard = static_cast<u8>(accounts_[request.account].shard()),
             .session_id_bytes = static_cast<u16>(session_id.size()),
             .service_count = static_cast<u16>(service_count)};
    auto* service = reinterpret_cast<ChargeService*>(at + sizeof *head);
    for (u32 i = 0; i < service_count; ++i, ++service) {
      new (service) ChargeService;
      service->flags =
          ledger::service_flag::has_rating_group | ledger::service_flag::is_multiple_services;
      service->rating_group = i == 0 ? 10 : 20 + 10 * pick(0, 2);  // free, barred, or unknown
      service->wanted = static_cast<Wanted>(pick(0, 2));
      service->asked_kinds = unit_bit::total_octets;
      service->asked.total_octets = pick(0, 30'000'000);
      if (i != 0 || kind == RequestKind::initial) continue;
      service->used_kinds = unit_bit::total_octets;
      service->used.total_octets = request.used;
    }
    session_id.copy(reinterpret_cast<char*>(service), session_id.size());
  }

  void learn(Request& request, const AnswerFrame& answer) {
    const auto outcome = answer.answer.outcome;
    const bool is_first = outcome == ledger::Outcome::ok && !request.is_carried_out;
    const bool is_repeated = (answer.answer.flags & ledger::answer_flag::is_repeated) != 0;
    if (outcome == ledger::Outcome::ok && is_repeated) {
      EXPECT_TRUE(request.is_carried_out);
    }
    if (outcome == ledger::Outcome::ok && !is_repeated) {
      EXPECT_FALSE(request.is_carried_out) << "carried out twice";
    }
    if (!is_first) return;
    request.is_carried_out = true;
    ++carried_out_;
    sessions_[request.session].used += request.used;
  }

  // What comes again comes while its session is remembered.
  ChargeRig rig_{{.accounts = 8, .buckets = 32, .sessions = 512, .extensions = 2048},
                 {.closed_linger = Duration::seconds(86'400)}};
  std::mt19937 random_;
  u32 seed_salt_ = 1;
  u32 session_count_ = 0;
  u64 carried_out_ = 0;
  static constexpr i64 put_in_ = 3'000'000;  // so that some run out
  std::vector<ledger::AccountRef> accounts_;
  std::vector<Request> requests_;
  std::map<u32, Session> sessions_;
};

class ChargeProperty : public testing::TestWithParam<u32> {};

TEST_P(ChargeProperty, money_is_conserved_and_each_request_moves_it_once) {
  World world(GetParam());
  for (u32 i = 0; i < 120; ++i) {
    ASSERT_NO_FATAL_FAILURE(world.round());
    if (i % 5 == 0) {
      ASSERT_NO_FATAL_FAILURE(world.compare()) << "round " << i;
    }
    world.sometimes();
  }
  ASSERT_NO_FATAL_FAILURE(world.finish());
  EXPECT_GT(world.carried_out(), 100u);
}

INSTANTIATE_TEST_SUITE_P(seeds, ChargeProperty, testing::Range(1u, 7u));

}  // namespace
}  // namespace tollgate::app
