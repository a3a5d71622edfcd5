// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/examples.hh"

#include <fmt/format.h>

#include <map>

#include "rating/explain.hh"

namespace tollgate::rating {
namespace {

using Costs = std::map<Unit, i64>;

std::string show(const Costs& costs) {
  std::string text;
  for (const auto& [unit, count] : costs) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", to_text(Amount{count}, unit));
  }
  return text.empty() ? "nothing" : text;
}

std::string_view show(Verdict verdict) {
  switch (verdict) {
    case Verdict::charged:
      return "charged";
    case Verdict::free:
      return "free";
    case Verdict::barred:
      return "barred";
  }
  return "unknown";
}

// A moment of an example is what the clock of its plan's time zone shows.
Instant moment_of(const TariffSyntax& syntax, const ExampleText& example) {
  TimeZones zones;
  const PlanText* plan = syntax.find_plan(example.plan->text);
  const TimeZone* zone = plan == nullptr ? nullptr : zones.find(syntax.timezone_of(*plan));
  if (zone == nullptr) zone = zones.find("UTC");
  return Instant::from_seconds(zone->to_utc(*example.local_second));
}

PriceEvent event_of(const TariffSyntax& syntax, const ExampleText& example) {
  PriceEvent event;
  event.plan = example.plan->text;
  event.service_context = example.service->text;
  if (example.group) event.rating_group = example.group->value;
  if (example.identifier) event.service_identifier = example.identifier->value;
  if (example.local_second) event.at = moment_of(syntax, example);
  for (std::size_t role = 0; role < number_roles; ++role) {
    if (example.numbers[role]) event.numbers[role] = number_key(example.numbers[role]->text);
  }
  event.direction = example.direction;
  event.location = example.location;
  for (const CountedText& counted : example.counted) {
    event.counted.push_back({counted.counter.text, {counted.amount.count}});
  }
  for (const NameText& product : example.products) event.products.push_back(product.text);
  for (const ExampleText::Use& use : example.use) {
    event.use.push_back({{use.amount.count}, use.amount.unit});
    event.after.emplace_back();
    if (use.after) event.after.back() = Duration::milliseconds(use.after->count);
  }
  for (const AmountText& have : example.have) event.have.push_back({{have.count}, have.unit});
  return event;
}

std::string all_steps(const Explanation& explanation) {
  std::string text;
  for (const std::string& step : explanation.steps) {
    const std::size_t begin = step.find_first_not_of(' ');
    text += (text.empty() ? "" : "; ") + step.substr(begin == std::string::npos ? 0 : begin);
  }
  return text;
}

// Why the example cannot say what a counter stands at; empty: it can.
std::string counter_mistake(const TariffSyntax& syntax, const ExampleText& example,
                            const CountedText& counted) {
  const PlanText* plan = syntax.find_plan(example.plan->text);
  const auto has_name = [&](const CounterText& each) {
    return each.name.text == counted.counter.text;
  };
  const auto found = std::ranges::find_if(plan->counters, has_name);
  if (found == plan->counters.end()) {
    return fmt::format("says what '{}' stands at, which is no counter of plan '{}'",
                       counted.counter.text, example.plan->text);
  }
  if (found->unit != counted.amount.unit) {
    return fmt::format(
        "says that counter '{}' stands at {}, but it counts {}", counted.counter.text,
        to_text(Amount{counted.amount.count}, counted.amount.unit), unit_name(found->unit));
  }
  const auto is_its = [&](const NameText& each) {
    const ProductText* product = syntax.find_product(each.text);
    const auto is_it = [&](const NameText& name) { return name.text == found->product->text; };
    return is_it(each) || std::ranges::any_of(product->includes, is_it);
  };
  if (found->product && std::ranges::none_of(example.products, is_its)) {
    return fmt::format("says what counter '{}' stands at, which is nothing without product '{}'",
                       counted.counter.text, found->product->text);
  }
  return {};
}

void verify(const TariffSyntax& syntax, const ExampleText& example, const Image& image,
            Report& report) {
  const auto tell = [&](std::string message, std::string hint = {}) {
    report.add(example.at, fmt::format("example \"{}\" {}", example.name, message),
               std::move(hint));
  };
  if (!example.plan || !example.service) {
    tell("names no plan or no service", "add: plan NAME and service NAME");
    return;
  }
  if (syntax.find_plan(example.plan->text) == nullptr) {
    tell(fmt::format("names '{}', which is no plan", example.plan->text));
    return;
  }
  if (!example.expects_cost && !example.covered && !example.verdict) {
    tell("expects nothing", "add: expect cost 0.10EUR, expect free or expect barred");
    return;
  }
  for (const NameText& product : example.products) {
    if (syntax.find_product(product.text) != nullptr) continue;
    tell(fmt::format("has '{}', which is no product", product.text));
    return;
  }
  for (const CountedText& counted : example.counted) {
    const std::string why = counter_mistake(syntax, example, counted);
    if (!why.empty()) tell(why);
    if (!why.empty()) return;
  }
  const Explanation result = explain(image, event_of(syntax, example));
  const std::string steps = all_steps(result);
  if (!result.is_priced) {
    tell("has no price", steps);
    return;
  }
  if (result.depends_on_time && !example.local_second) {
    tell("says no moment, but the price depends on it", "for example: at 2026-12-24T18:00");
    return;
  }
  if (example.verdict && *example.verdict != result.verdict) {
    tell(fmt::format("expects {}, but the service is {}", show(*example.verdict),
                     show(result.verdict)),
         steps);
  }
  const bool is_other_unit = example.covered && example.covered->unit != result.unit;
  if (example.covered && (is_other_unit || example.covered->count != result.covered.count)) {
    tell(fmt::format("expects {} to be covered, but it is {}",
                     to_text(Amount{example.covered->count}, example.covered->unit),
                     to_text(Amount{result.covered.count}, result.unit)),
         steps);
  }
  Costs expected;
  Costs actual;
  for (const AmountText& cost : example.costs) {
    if (cost.count != 0) expected[cost.unit] = cost.count;
  }
  for (const UnitAmount& cost : result.cost) {
    if (!cost.amount.is_zero()) actual[cost.unit] = cost.amount.count;
  }
  if (example.expects_cost && expected != actual) {
    tell(fmt::format("expects a cost of {}, but it is {}", show(expected), show(actual)), steps);
  }
}

}  // namespace

void verify_examples(const TariffSyntax& syntax, const Image& image, Report& report) {
  for (const ExampleText& example : syntax.examples) verify(syntax, example, image, report);
}

}  // namespace tollgate::rating
