// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <set>

#include "rating/lower_python.hh"

namespace tollgate::rating {
namespace {

constexpr u32 events_of_a_trial = 96;
constexpr std::size_t values_of_a_program_max = 64;

void add_beside(i64 value, std::vector<i64>& all) {
  for (i64 beside = value - 1; beside <= value + 1; ++beside) {
    if (beside >= 0 && beside <= price_quantity_max) all.push_back(beside);
  }
}

// Small ones each, then ever larger ones, and what lies beside powers of two and of ten and beside
// what the functions name.
std::vector<i64> trial_quantities(i64 small, i64 part, std::span<const i64> named) {
  std::vector<i64> all;
  for (i64 each = 0; each <= small; ++each) all.push_back(each);
  for (i64 each = small; each < price_quantity_max; each += each / part) all.push_back(each);
  for (const i64 base : {i64{2}, i64{10}}) {
    for (i64 power = base; power <= price_quantity_max; power *= base) add_beside(power, all);
  }
  for (const i64 value : named) {
    if (value > 0 && value < price_quantity_max) add_beside(value, all);
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

// Counted from 1970-01-01, of a year from 2020 to 2047.
i64 day_of(i64 year, i64 month, i64 day) {
  constexpr std::array<i64, 12> before = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  const i64 years = year - 2020;
  const i64 leap_day = years % 4 == 0 && month > 2 ? 1 : 0;
  return timeline_first_day + years * 365 + (years + 3) / 4 +
         before[static_cast<std::size_t>(month - 1)] + leap_day + day - 1;
}

class Trial {
 public:
  Trial(const Rule& rule, const FunctionUse& use, Report& report)
      : rule_(rule), functions_(functions_of(rule)), use_(use), report_(report) {
    for (const u32 distance : {functions_.price, functions_.discount}) {
      if (distance != 0) collect(distance);
    }
  }

  void run() {
    const std::vector<i64> all = trial_quantities(256, 64, values_);
    const std::vector<i64> some = trial_quantities(16, 6, values_);
    const u64 asked = functions_.facts_used & ~(u64{1} << static_cast<u32>(Fact::quantity));
    const u32 events = asked == 0 ? 1 : events_of_a_trial;
    for (u32 event = 0; event < events; ++event) {
      make_event(event);
      is_made_up_ = event != 0;
      if (!is_curve(event < 2 ? all : some)) return;
    }
  }

 private:
  // The numbers that a program compares with, and those of its tables.
  void collect(u32 distance) {
    const u8* at = program_behind(functions_, distance);
    const u32 bytes = reinterpret_cast<const ProgramHeader*>(at)->bytes;
    const Program program({at, bytes}, Program::Mapping::data);
    std::set<i64> found(values_.begin(), values_.end());
    for (const Instruction& each : program.instructions()) found.insert(each.imm);
    const u32 words = program.header().word_count;
    for (u32 i = 0; i < words && found.size() < values_of_a_program_max; ++i) {
      found.insert(program.words()[i]);
    }
    values_.assign(found.begin(), found.end());
  }

  i64 pick(i64 least, i64 most) {
    std::vector<i64> fitting;
    for (const i64 value : values_) {
      for (i64 each = std::max(value, INT64_MIN + 1) - 1; each <= value; ++each) {
        if (each >= least && each <= most) fitting.push_back(each);
      }
      if (value >= least && value < most) fitting.push_back(value + 1);
    }
    if (fitting.empty() || random_() % 4 == 0) {
      const u64 range = static_cast<u64>(most) - static_cast<u64>(least);
      return static_cast<i64>(static_cast<u64>(least) + random_() % (range + 1));
    }
    return fitting[random_() % fitting.size()];
  }

  // A text is one of those that a program names, or none of them.
  i64 pick_text() {
    std::vector<i64> texts = {0};
    for (const i64 value : values_) {
      if (value < -(i64{1} << 32)) texts.push_back(value);
    }
    return texts[random_() % texts.size()];
  }

  void make_event(u32 number) {
    facts_ = {};
    Facts& facts = facts_.facts;
    fill_calendar(Instant::from_seconds(1'767'225'600), {}, facts);  // 2026-01-01
    if (number == 0) return;
    for (const Fact fact : {Fact::service, Fact::zone, Fact::direction, Fact::location}) {
      facts[fact] = pick_text();
    }
    facts[Fact::rating_group] = pick(0, UINT32_MAX);
    facts[Fact::service_identifier] = pick(0, UINT32_MAX);
    facts[Fact::network] = pick(0, 999'999);
    facts[Fact::calling] = pick(0, 999'999'999'999'999);
    facts[Fact::called] = pick(0, 999'999'999'999'999);
    for (u32 i = 0; i < counter_facts; ++i) {
      facts.value[static_cast<u32>(Fact::counter0) + i] = pick(0, price_quantity_max);
      facts_.discount_counter[i] = pick(0, price_quantity_max);
    }
    const i64 day = day_of(pick(2020, 2047), pick(1, 12), pick(1, 28));
    const i64 second = pick(0, 23) * 3600 + pick(0, 59) * 60 + pick(0, 59);
    fill_calendar(Instant::from_seconds(day * 86'400 + second), {}, facts);
  }

  // Of the event, what is asked for.
  std::string event_text() const {
    std::string text;
    for (u32 number = 1; number < static_cast<u32>(Fact::counter0); ++number) {
      const auto fact = static_cast<Fact>(number);
      if (!functions_.asks(fact)) continue;
      const bool is_text = fact_info(fact).type == FactType::text;
      const std::string value = !is_text                  ? std::to_string(facts_.facts[fact])
                                : facts_.facts[fact] == 0 ? "another than it names"
                                                          : "one that it names";
      text += fmt::format("{} {} {}", text.empty() ? ", with" : ",", fact_info(fact).name, value);
    }
    return text;
  }

  bool tell(const PythonText& text, const std::string& what, const std::string& hint = {}) {
    report_.add(
        text.function.at,
        fmt::format("{} of {} {}{}", text.function.text, text.file.text, what, event_text()), hint);
    return false;
  }

  bool is_curve(std::span<const i64> quantities) {
    i64 before = 0;
    i64 quantity_before = 0;
    for (const i64 quantity : quantities) {
      if (quantity == 0 && use_.price == nullptr) continue;
      const FunctionResult result = ask_functions(rule_, facts_, Quantity{quantity});
      // Beyond all that can be paid: of a made-up event that is no mistake.
      if (result.is_beyond) return true;
      if (is_made_up_ && result.outcome == ProgramOutcome::overflow) return true;
      if (!is_good(quantity, result)) return false;
      const i64 cost = quantity == 0 ? 0 : result.discounted;
      if (cost < before) {
        const PythonText* const text = use_.discount != nullptr ? use_.discount : use_.price;
        return tell(*text, fmt::format("returns {} for a quantity of {} and less, {}, for {}: "
                                       "expected that more never costs less",
                                       before, quantity_before, cost, quantity));
      }
      before = cost;
      quantity_before = quantity;
    }
    return true;
  }

  bool is_good(i64 quantity, const FunctionResult& result) {
    const bool is_of_discount = result.is_of_discount || use_.price == nullptr;
    const PythonText* const failed = is_of_discount ? use_.discount : use_.price;
    if (result.outcome != ProgramOutcome::ok) {
      return tell(*failed, fmt::format("ends with {} for a quantity of {}", to_text(result.outcome),
                                       quantity));
    }
    if (use_.price != nullptr && quantity == 0 && result.said != 0) {
      return tell(*use_.price,
                  fmt::format("returns {} for a quantity of 0, expected 0", result.said),
                  "'setup' is a fee for the first use");
    }
    if (use_.price != nullptr && result.said < 0) {
      return tell(*use_.price, fmt::format("returns {} for a quantity of {}: expected that more "
                                           "never costs less than nothing",
                                           result.said, quantity));
    }
    if (use_.discount == nullptr || quantity == 0) return true;
    if (result.discounted >= 0 && result.discounted <= result.price) return true;
    return tell(*use_.discount,
                fmt::format("returns {} for a price of {} and a quantity of {}: expected what is "
                            "left of the price, from 0 to {}",
                            result.discounted, result.price, quantity, result.price));
  }

  const Rule& rule_;
  const RuleFunctions& functions_;
  const FunctionUse& use_;
  Report& report_;
  std::vector<i64> values_;
  std::mt19937_64 random_{1};
  bool is_made_up_ = false;
  PriceFacts facts_;
};

// What the outcome of a trial depends on: rules that are alike in it are tried once.
std::string trial_key(const Rule& rule) {
  const RuleFunctions& functions = functions_of(rule);
  const auto place = [&](u32 distance) {
    return distance == 0 ? nullptr : program_behind(functions, distance);
  };
  std::string key = fmt::format("{} {} {}", fmt::ptr(place(functions.price)),
                                fmt::ptr(place(functions.discount)), functions.facts_used);
  if (functions.discount == 0) return key;
  key += fmt::format(" {} {} {} {} {} {}", rule.setup_fee.count, rule.cycle.count,
                     rule.cycle_cost.count, static_cast<int>(rule.usage_rounding),
                     static_cast<int>(rule.money_rounding), rule.usage_counter != 0);
  for (const Step& step : rule.steps()) {
    key += fmt::format(" {} {} {}", step.start.count, step.block.count, step.price.count);
  }
  return key;
}

}  // namespace

void try_functions(const Image& image, std::span<const FunctionUse> uses, Report& report) {
  std::set<std::string> tried;
  for (const FunctionUse& use : uses) {
    if (use.price == nullptr && use.discount == nullptr) continue;
    const Rule& rule = image.rules()[use.rule];
    if (tried.insert(trial_key(rule)).second) Trial(rule, use, report).run();
  }
}

}  // namespace tollgate::rating
