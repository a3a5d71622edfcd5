// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/route.hh"

#include <fmt/format.h>

#include <algorithm>

#include "base/time.hh"
#include "control/protocol.hh"
#include "rating/explain.hh"
#include "rating/normalise_image.hh"
#include "tools/tollctl/offline.hh"
#include "tools/tollctl/print.hh"

namespace tollgate::tollctl {
namespace {

using control::Refused;

struct Offer {
  std::string supplier;
  std::string plan;
  Amount cost;
  Unit currency = Unit::none;
  rating::Explanation why;
};

[[noreturn]] void refuse(const std::string& what) {
  throw Refused(control::refusal::bad_request, what);
}

rating::PriceEvent event_of(const RouteQuestion& question) {
  rating::PriceEvent event;
  event.service_context = question.service;
  const auto number = [](const std::string& digits) {
    const u64 key = rating::number_key(digits);
    if (!digits.empty() && key == rating::number_absent) {
      refuse(fmt::format("'{}' is no number", digits));
    }
    return key;
  };
  event.numbers[static_cast<u32>(rating::NumberRole::origin)] = number(question.from);
  event.numbers[static_cast<u32>(rating::NumberRole::destination)] = number(question.to);
  Instant at = Clock().now();
  if (!question.at.empty() && !parse_rfc3339(question.at, at)) {
    refuse(fmt::format("'{}' is no moment, such as 2026-12-24T18:00:00+01:00", question.at));
  }
  event.at = at;
  rating::UnitAmount use;
  const std::string wrong = parse_amount(question.quantity, use.amount, use.unit);
  if (!wrong.empty()) refuse(fmt::format("'{}': {}", question.quantity, wrong));
  event.use.push_back(use);
  return event;
}

// What the plan takes for it; why it does not carry it, if it does not.
std::string price(const rating::Image& image, const rating::PriceEvent& event, Offer& offer) {
  offer.why = rating::explain(image, event);
  if (!offer.why.is_priced) {
    return offer.why.steps.empty() ? "no price" : offer.why.steps.back();
  }
  if (offer.why.verdict == rating::Verdict::barred) return "barred: " + offer.why.rule;
  if (offer.why.missing.is_positive()) return "only an allowance would pay for it";
  offer.currency = image.find_plan(rating::plan_id(offer.plan))->currency;
  for (const rating::UnitAmount& cost : offer.why.cost) {
    if (cost.unit == offer.currency) offer.cost = cost.amount;
  }
  return {};
}

}  // namespace

Json find_routes(const RouteQuestion& question) {
  rating::PriceEvent event = event_of(question);
  std::vector<Offer> offers;
  Json without = Json::array();
  for (const std::string& supplier : question.suppliers) {
    const std::vector<u8> compiled = compile_or_refuse(supplier);
    const rating::Image image{rating::tariff_part(compiled)};
    for (const rating::Plan& plan : image.plans()) {
      Offer offer{.supplier = supplier, .plan = std::string(image.text(plan.name))};
      event.plan = offer.plan;
      const std::string why = price(image, event, offer);
      if (why.empty()) {
        offers.push_back(std::move(offer));
      } else {
        without.push_back(Json{{"supplier", supplier}, {"plan", offer.plan}, {"why", why}});
      }
    }
  }
  std::vector<Unit> currencies;
  const auto rank_of = [&](Unit currency) {
    return std::ranges::find(currencies, currency) - currencies.begin();
  };
  for (const Offer& offer : offers) {
    if (rank_of(offer.currency) == std::ssize(currencies)) currencies.push_back(offer.currency);
  }
  std::ranges::stable_sort(offers, {}, [&](const Offer& offer) {
    return std::pair(rank_of(offer.currency), offer.cost.count);
  });
  Json routes = Json::array();
  u32 rank = 0;
  Unit currency = Unit::none;
  for (const Offer& offer : offers) {
    rank = offer.currency == currency ? rank + 1 : 1;
    currency = offer.currency;
    routes.push_back(Json{{"rank", rank},
                          {"supplier", offer.supplier},
                          {"plan", offer.plan},
                          {"cost", to_decimal(offer.cost, offer.currency)},
                          {"currency", unit_name(offer.currency)},
                          {"rule", offer.why.rule},
                          {"steps", offer.why.steps}});
  }
  return Json{{"routes", std::move(routes)}, {"without", std::move(without)}};
}

std::string route_text(const Json& routes) {
  std::string text;
  for (const Json& one : routes["routes"]) {
    text += fmt::format("{:>3} {:>14} {} {} {} by {}\n", plain(one["rank"]), plain(one["cost"]),
                        plain(one["currency"]), plain(one["supplier"]), plain(one["plan"]),
                        plain(one["rule"]));
  }
  for (const Json& one : routes["without"]) {
    text += fmt::format("  - {} {}: {}\n", plain(one["supplier"]), plain(one["plan"]),
                        plain(one["why"]));
  }
  if (routes["routes"].empty()) text += "nobody carries it\n";
  return text;
}

}  // namespace tollgate::tollctl
