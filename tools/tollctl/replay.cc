// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/replay.hh"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>

#include "control/protocol.hh"
#include "rating/explain.hh"
#include "rating/normalise_image.hh"
#include "tools/tollctl/offline.hh"
#include "tools/tollctl/print.hh"

namespace tollgate::tollctl {
namespace {

struct Sum {
  i64 before = 0;
  i64 after = 0;
  u64 services = 0;

  bool add(i64 more_before, i64 more_after) {
    ++services;
    return !__builtin_add_overflow(before, more_before, &before) &&
           !__builtin_add_overflow(after, more_after, &after);
  }
};

Json describe(const Sum& sum, Unit currency) {
  return Json{{"currency", unit_name(currency)},
              {"before", to_decimal({sum.before}, currency)},
              {"after", to_decimal({sum.after}, currency)},
              {"difference", to_decimal({sum.after - sum.before}, currency)}};
}

class Replay {
 public:
  explicit Replay(const rating::Image& image) : image_(image) {}

  void add_line(const std::string& line) {
    const auto record = control::parse_json(line);
    const bool is_record = record && record->is_object() && record->contains("services") &&
                           record->at("services").is_array();
    if (!is_record) {
      ++bad_lines_;
      return;
    }
    ++records_;
    const std::string type = record->value("type", std::string());
    if (type == "fee" || type == "refund") {  // no use that a tariff prices
      ++fees_;
      return;
    }
    for (const Json& service : record->at("services")) {
      const std::string why = add_service(*record, service);
      if (!why.empty()) ++unpriced_[why];
    }
  }

  Json report() const {
    Json totals = Json::array();
    for (const auto& [currency, sum] : totals_) totals.push_back(describe(sum, currency));
    using Row = std::pair<const std::pair<std::string, Unit>, Sum>;
    std::vector<const Row*> rows;
    for (const Row& row : accounts_) {
      if (row.second.before != row.second.after) rows.push_back(&row);
    }
    const auto size = [](const Row* row) {
      const i64 difference = row->second.after - row->second.before;
      return difference < 0 ? difference : -difference;
    };
    std::ranges::stable_sort(rows, {}, size);
    Json accounts = Json::array();
    for (const Row* row : rows) {
      Json one = describe(row->second, row->first.second);
      one["account"] = row->first.first;
      one["services"] = row->second.services;
      accounts.push_back(std::move(one));
    }
    return Json{{"records", records_},
                {"services", services_},
                {"unpriced", unpriced_},
                {"bad_lines", bad_lines_},
                {"fees", fees_},
                {"totals", std::move(totals)},
                {"accounts", std::move(accounts)}};
  }

 private:
  // Products and numbers by which the price was found.
  static void read_circumstances(const Json& record, rating::PriceEvent& event) {
    const auto products = record.find("products");
    if (products != record.end() && products->is_array()) {
      for (const Json& name : *products) {
        if (name.is_string()) event.products.push_back(name.get<std::string>());
      }
    }
    const auto numbers = record.find("numbers");
    if (numbers == record.end() || !numbers->is_object()) return;
    const auto text = [&](const char* name) { return numbers->value(name, std::string()); };
    constexpr std::array names = {"calling", "called", "network"};
    for (std::size_t role = 0; role < names.size(); ++role) {
      const std::string digits = text(names[role]);
      if (!digits.empty()) event.numbers[role] = rating::number_key(digits);
    }
    event.zone = text("zone");
    for (u8 way = 0; way < 16; ++way) {
      if (to_text(rating::direction_of(way)) == text("direction")) {
        event.direction = rating::direction_of(way);
      }
      if (to_text(rating::location_of(way)) == text("location")) {
        event.location = rating::location_of(way);
      }
    }
  }

  // A rule may count other octets than the one that the record was priced by.
  static bool counts_alike(const Json& service, rating::Meter meter, Amount& used) {
    if (!rating::is_of_octets(meter)) return true;
    const std::string part = service.value("part", std::string());
    const auto counted = part == "upload"     ? rating::Meter::upload
                         : part == "download" ? rating::Meter::download
                                              : rating::Meter::volume;
    if (meter == counted) return true;
    const i64 upload = service.value("input_octets", i64{0});
    const i64 download = service.value("output_octets", i64{0});
    if (upload == 0 && download == 0 && used.count != 0) return false;  // only the sum was told
    if (meter == rating::Meter::volume) return add(Amount{upload}, Amount{download}, used);
    used = {meter == rating::Meter::upload ? upload : download};
    return true;
  }

  // Returns why it could not be priced, or nothing.
  std::string add_service(const Json& record, const Json& service) {
    ++services_;
    rating::PriceEvent event;
    event.plan = record.value("plan", "");
    event.service_context = record.value("service_context", "");
    Instant at;
    if (parse_rfc3339(record.value("started", ""), at)) event.at = at;
    const auto number = [&](const char* name, u64& value) {
      if (service.contains(name) && service[name].is_number_unsigned()) value = service[name];
    };
    number("rating_group", event.rating_group);
    number("service_identifier", event.service_identifier);
    read_circumstances(record, event);
    rating::UnitAmount use;
    const std::string used = service.value("used", "") + service.value("unit", "");
    if (!parse_amount(used, use.amount, use.unit).empty()) return "the quantity cannot be read";
    event.use.push_back(use);
    Unit currency = Unit::none;
    Amount before;
    if (service.contains("cost") && service["cost"].is_string()) {
      const std::string cost = service["cost"].get<std::string>() + service.value("currency", "");
      if (!parse_amount(cost, before, currency).empty()) return "the cost cannot be read";
    }
    rating::Explanation result = rating::explain(image_, event);
    const Amount counted = event.use[0].amount;
    if (!counts_alike(service, result.meter, event.use[0].amount)) {
      return "the record does not tell the octets of each direction";
    }
    if (event.use[0].amount != counted) result = rating::explain(image_, event);
    if (!result.is_priced) {
      return result.steps.empty() ? "no price" : result.steps.back();
    }
    if (result.verdict == rating::Verdict::barred) return "barred now";
    Amount after;
    for (const rating::UnitAmount& cost : result.cost) {
      if (!is_money(cost.unit)) continue;
      if (currency != Unit::none && currency != cost.unit) return "another currency now";
      currency = cost.unit;
      after = cost.amount;
    }
    if (currency == Unit::none) return {};  // free then and now
    const bool fits =
        totals_[currency].add(before.count, after.count) &&
        accounts_[{record.value("account", ""), currency}].add(before.count, after.count);
    return fits ? "" : "the sum does not fit into 64 bits";
  }

  const rating::Image& image_;
  u64 records_ = 0;
  u64 services_ = 0;
  u64 bad_lines_ = 0;
  u64 fees_ = 0;  // of products, and refunds: left as they are
  std::map<std::string, u64> unpriced_;
  std::map<Unit, Sum> totals_;
  std::map<std::pair<std::string, Unit>, Sum> accounts_;
};

}  // namespace

Json replay_records(const std::string& file, const std::string& tariff_path) {
  const std::vector<u8> compiled = compile_or_refuse(tariff_path);
  const rating::Image image{rating::tariff_part(compiled)};
  std::ifstream in(file);
  if (!in.is_open()) {
    throw control::Refused(control::refusal::bad_file,
                           fmt::format("{}: the file cannot be read", file));
  }
  Replay replay(image);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) replay.add_line(line);
  }
  return replay.report();
}

std::string replay_text(const Json& report) {
  std::string text =
      fmt::format("{} records, {} services, {} bad lines\n", plain(report["records"]),
                  plain(report["services"]), plain(report["bad_lines"]));
  for (const auto& [why, count] : report["unpriced"].items()) {
    text += fmt::format("not priced: {:>8}  {}\n", plain(count), why);
  }
  const auto row = [](const std::string& name, const Json& one) {
    return fmt::format("{:<32} {:>16} {:>16} {:>16} {}\n", name, plain(one["before"]),
                       plain(one["after"]), plain(one["difference"]), plain(one["currency"]));
  };
  text += fmt::format("{:<32} {:>16} {:>16} {:>16}\n", "account", "before", "after", "difference");
  for (const Json& one : report["accounts"]) text += row(plain(one["account"]), one);
  for (const Json& one : report["totals"]) text += row("all", one);
  return text;
}

}  // namespace tollgate::tollctl
