// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Random clients that count their pools as RFC 8506 section 5.1.2 says, and use them up in
// whichever group they like. Two of them share a balance that is too small. After every answer:
// what was debited is the price of what was reported, nobody is debited beyond the balance, and
// when all have ended nothing is held.

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <sstream>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

constexpr std::string_view tariff = R"(
plan pooled {
  currency EUR
  service data {
    rule "blocks" group 0 { price 0.01EUR per 100KiB; grant 1000KiB }
    rule "exact" group 1 { price 0.02EUR per 1MiB; round exact; grant 7MiB }
    rule "minutes" group 2 { meter time; price 0.10EUR per 1min; grant 300s }
    rule "events" group 3 { meter events; price 0.10EUR per 1event; grant 3events }
    rule "rounded down" group 4 { price 0.03EUR per 10MiB; round down; grant 20MiB }
    rule "alone" group 5 { price 0.01EUR per 7MB; grant 30MB }
  }
}
)";

struct Price {
  const char* unit;
  i64 block;
  i64 amount;
  enum { up, exact, down } rounding;
};
constexpr std::array prices = {Price{"octets", 102'400, 10'000, Price::up},
                               Price{"octets", 1 << 20, 20'000, Price::exact},
                               Price{"s", 60, 100'000, Price::up},
                               Price{"event", 1, 100'000, Price::up},
                               Price{"octets", 10 << 20, 30'000, Price::down},
                               Price{"octets", 7'000'000, 10'000, Price::up}};

i64 price_of(const Price& price, i64 used) {
  if (price.rounding == Price::down) return used / price.block * price.amount;
  if (price.rounding == Price::up) return (used + price.block - 1) / price.block * price.amount;
  return (used * price.amount + price.block - 1) / price.block;
}

// What a client knows of a group. Worth is counted in parts of 10^-4 of the pool's unit.
struct Group {
  bool is_pooled = false;
  i128 multiplier = 0;
  i64 own = 0;    // that is granted to it alone
  i64 fresh = 0;  // used, and not reported yet
  i64 used = 0;
};

class Client {
 public:
  Client(ChargeTable& table, std::mt19937& random, std::string name)
      : table_(table), random_(random), name_(std::move(name)) {}

  // Uses something of a group, often all that there is.
  void use() {
    Group& group = groups_[pick(0, groups_.size() - 1)];
    i64 most = group.own - group.fresh;
    if (group.is_pooled) {
      const i128 left = (credit_ - worth_of_fresh()) / group.multiplier;
      most = left > 1'000'000'000 ? 1'000'000'000 : static_cast<i64>(left);
    }
    if (most <= 0) return;
    group.fresh += pick(0, 2) == 0 ? most : static_cast<i64>(pick(0, static_cast<u64>(most)));
  }

  void report() {
    const bool is_first = !is_open_;
    const bool is_last = is_open_ && pick(0, 12) == 0;
    std::string line = is_first
                           ? "initial " + name_ + std::to_string(++count_) + " A data"
                           : (is_last ? "terminate " : "update ") + name_ + std::to_string(count_);
    asked_.clear();
    for (u32 i = 0; i < groups_.size(); ++i) {
      if (!is_last && pick(0, 2) != 0) continue;
      asked_.push_back(i);
      line += " rg " + std::to_string(i);
      if (!is_first) line += " used " + std::to_string(groups_[i].fresh) + prices[i].unit;
      if (!is_last && pick(0, 4) != 0) line += " ask any";
      if (!is_first && pick(0, 9) == 0) line += " final";
    }
    if (asked_.empty()) return;
    is_open_ = true;
    if (!is_first) forget_reported();
    const std::string text = table_.tell(line);
    ASSERT_EQ(text.substr(0, 4), "2001") << line;
    SCOPED_TRACE(line + " -> " + text);
    learn(text.substr(4));
    if (is_last) end();
  }

  bool is_open() const { return is_open_; }
  u64 pooled_grants() const { return pooled_grants_; }
  i64 paid() const {
    i64 sum = paid_;
    for (u32 i = 0; i < groups_.size(); ++i) sum += price_of(prices[i], groups_[i].used);
    return sum;
  }

 private:
  u64 pick(u64 least, u64 most) { return std::uniform_int_distribution<u64>(least, most)(random_); }
  i128 worth_of_fresh() const {
    i128 sum = 0;
    for (const Group& group : groups_) {
      if (group.is_pooled) sum += group.fresh * group.multiplier;
    }
    return sum;
  }

  // What was reported is consumed, and the group has nothing until it is granted anew.
  void forget_reported() {
    for (const u32 i : asked_) {
      Group& group = groups_[i];
      if (group.is_pooled) credit_ -= group.fresh * group.multiplier;
      group.used += group.fresh;
      group.fresh = group.own = 0;
      group.is_pooled = false;
    }
  }

  // "rg 0 grant 1000KiB pool 978 times 27648e2 rg 1 4012": a part for each that was asked about.
  void learn(const std::string& text) {
    std::istringstream words(text);
    std::size_t at = 0;
    i64 granted = 0;
    for (std::string word; words >> word;) {
      if (word == "rg") {
        u32 number = 0;
        words >> number;
        while (asked_.at(at) != number) ++at;
      } else if (word == "grant") {
        words >> word;
        Amount amount;
        Unit unit = Unit::none;
        ASSERT_EQ(parse_amount(word, amount, unit), "");
        granted = unit == Unit::milliseconds ? amount.count / 1000 : amount.count;
        groups_[asked_.at(at)].own = granted;
      } else if (word == "times") {
        words >> word;
        Group& group = groups_[asked_.at(at)];
        group.multiplier = std::stoll(word);
        for (i32 e = std::stoi(word.substr(word.find('e') + 1)) + 4; e > 0; --e) {
          group.multiplier *= 10;
        }
        group.own = 0;
        group.is_pooled = true;
        credit_ += granted * group.multiplier;
        ++pooled_grants_;
      }
    }
    bool has_member = false;
    for (const Group& group : groups_) has_member = has_member || group.is_pooled;
    if (!has_member) credit_ = 0;
  }

  void end() {
    paid_ = paid();
    groups_ = {};
    credit_ = 0;
    is_open_ = false;
  }

  ChargeTable& table_;
  std::mt19937& random_;
  std::string name_;
  u32 count_ = 0;
  bool is_open_ = false;
  i128 credit_ = 0;
  i64 paid_ = 0;  // of sessions that are over
  u64 pooled_grants_ = 0;
  std::array<Group, prices.size()> groups_{};
  std::vector<u32> asked_;
};

struct Sums {
  i64 free = 0;
  i64 held = 0;
  i64 used = 0;
};
Sums sums_of(ChargeTable& table) {
  std::istringstream words(table.tell("balance A EUR"));
  std::string word;
  Sums sums;
  while (words >> word) {
    std::string value;
    words >> value;
    Amount amount;
    Unit unit = Unit::none;
    EXPECT_EQ(parse_amount(value + "EUR", amount, unit), "");
    (word == "free" ? sums.free : word == "held" ? sums.held : sums.used) = amount.count;
  }
  return sums;
}

class QuotaPoolProperty : public testing::TestWithParam<u32> {};

TEST_P(QuotaPoolProperty, a_pool_is_spent_to_the_last_cent_and_not_beyond) {
  ChargeTable table;
  table.rig().load_tariff_text(std::string(tariff));
  ASSERT_EQ(table.run("profile quota_pools=true\n"
                      "account A plan pooled balance 1.00EUR balance 4.00EUR priority 5\n"),
            "");
  std::mt19937 random(GetParam());
  std::array clients = {Client(table, random, "S"), Client(table, random, "T")};
  const auto compare = [&] {
    ASSERT_EQ(table.rig().fault(), "");
    const Sums sums = sums_of(table);
    ASSERT_EQ(sums.used, clients[0].paid() + clients[1].paid());
    ASSERT_GE(sums.free, 0);
  };
  for (u32 i = 0; i < 400; ++i) {
    Client& client = clients[random() % clients.size()];
    for (u64 uses = random() % 4; uses > 0; --uses) client.use();
    ASSERT_NO_FATAL_FAILURE(client.report());
    ASSERT_NO_FATAL_FAILURE(compare()) << "step " << i;
    if (random() % 50 == 0) table.tell("restart");
    if (random() % 20 == 0) table.tell("top-up A 0.90EUR");
  }
  while (clients[0].is_open()) ASSERT_NO_FATAL_FAILURE(clients[0].report());
  while (clients[1].is_open()) ASSERT_NO_FATAL_FAILURE(clients[1].report());
  ASSERT_NO_FATAL_FAILURE(compare());
  EXPECT_EQ(sums_of(table).held, 0);
  EXPECT_GT(clients[0].pooled_grants(), 10u);
}

INSTANTIATE_TEST_SUITE_P(seeds, QuotaPoolProperty, testing::Range(1u, 13u));

}  // namespace
}  // namespace tollgate::app
