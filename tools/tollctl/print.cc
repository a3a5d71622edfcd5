// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/print.hh"

#include <fmt/format.h>

namespace tollgate::tollctl {
namespace {

std::string joined(const Json& list) {
  std::string all;
  for (const Json& one : list) all += (all.empty() ? "" : " ") + plain(one);
  return all;
}

// "0.50 EUR, 1048576 octets" of [{"unit","amount"}].
std::string amounts_text(const Json& amounts) {
  std::string all;
  for (const Json& one : amounts) {
    all +=
        fmt::format("{}{} {}", all.empty() ? "" : ", ", plain(one["amount"]), plain(one["unit"]));
  }
  return all.empty() ? "-" : all;
}

std::string member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? std::string() : plain(*found);
}

}  // namespace

std::string plain(const Json& value) {
  if (value.is_null()) return {};
  return value.is_string() ? value.get<std::string>() : control::to_line(value);
}

std::string account_text(const Json& account) {
  std::string text = fmt::format("account     {}\n", member(account, "account"));
  if (!account.contains("buckets")) return text + member(account, "state") + "\n";
  text +=
      fmt::format("identities  {}\nplan        {}\nstate       {}\n", joined(account["identities"]),
                  member(account, "plan"), member(account, "state"));
  for (const char* name : {"valid_until", "payer"}) {
    if (!member(account, name).empty()) {
      text += fmt::format("{:<11} {}\n", name, member(account, name));
    }
  }
  text += fmt::format("{:<12}{:>20} {:>20}  {:<4} {}\n", "unit", "balance", "reserved", "prio",
                      "expires");
  for (const Json& bucket : account["buckets"]) {
    text += fmt::format("{:<12}{:>20} {:>20}  {:<4} {}\n", member(bucket, "unit"),
                        member(bucket, "balance"), member(bucket, "reserved"),
                        member(bucket, "priority"), member(bucket, "expires"));
  }
  return text;
}

namespace {

// "1.00 + 0.50 held": what a bucket has.
std::string content_text(const Json& content) {
  if (content.is_null()) return "?";
  std::string text = member(content, "balance");
  const std::string held = member(content, "reserved");
  const bool has_held = held.find_first_not_of("0.") != std::string::npos;
  return has_held ? text + " + " + held + " held" : text;
}

std::string cause_text(const Json& event) {
  if (event.contains("request")) {
    const Json& request = event["request"];
    return fmt::format("{} {} {}", member(request, "type"), member(request, "number"),
                       member(request, "session_id"));
  }
  if (!event.contains("command")) return {};
  const Json& command = event["command"];
  std::string text = member(command, "kind");
  if (!command["key"].is_null()) text += " key " + member(command, "key");
  if (command.contains("reason")) text += ": " + member(command, "reason");
  return text;
}

}  // namespace

std::string history_text(const Json& history) {
  std::string text;
  for (const Json& event : history["earlier"]) {
    text += fmt::format("{}  {} {}\n", member(event, "time"), member(event, "kind"),
                        member(event, "detail"));
  }
  for (const Json& event : history["events"]) {
    text += fmt::format("{}  {}\n", member(event, "time"), cause_text(event));
    for (const Json& change : event["changes"]) {
      const bool is_plain = member(change, "kind") == "balance";
      text += fmt::format("    bucket {}{}: {} -> {} {}\n", member(change, "bucket"),
                          is_plain ? "" : " (" + member(change, "kind") + ")",
                          content_text(change["before"]), content_text(change["after"]),
                          member(change, "unit"));
    }
    if (!event["cdr"].is_null()) {
      text += fmt::format("    charging record {}/{}\n", member(event["cdr"], "shard"),
                          member(event["cdr"], "sequence"));
    }
  }
  const bool is_whole = history.value("complete", false);
  return text + (is_whole ? "" : "(there is more: older, or beyond --limit)\n");
}

std::string account_rows(const Json& accounts) {
  std::string text;
  for (const Json& account : accounts) {
    text +=
        fmt::format("{:<24} {:<16} {:<8} {}\n", member(account, "account"), member(account, "plan"),
                    member(account, "status"), joined(account["identities"]));
  }
  return text;
}

std::string voucher_text(const Json& voucher) {
  std::string text;
  for (const char* name : {"batch", "amount", "validity", "ends", "state"}) {
    if (!member(voucher, name).empty())
      text += fmt::format("{:10}{}\n", name, member(voucher, name));
  }
  return text;
}

std::string voucher_batches_text(const Json& told) {
  std::string text = fmt::format("{:24}{:>10}{:>10}\n", "batch", "vouchers", "redeemed");
  for (const Json& batch : told["batches"]) {
    text += fmt::format("{:24}{:>10}{:>10}\n", member(batch, "batch"), member(batch, "vouchers"),
                        member(batch, "redeemed"));
  }
  return text;
}

std::string balance_text(const Json& answer) {
  std::string text = member(answer, "account") + ": " + member(answer, "outcome");
  if (answer.contains("balance")) {
    text += fmt::format(", balance {} {}", member(answer, "balance"), member(answer, "unit"));
  }
  if (answer.value("repeated", false)) text += " (done before)";
  return text + "\n";
}

namespace {

std::string subscription_line(const Json& row) {
  std::string text = fmt::format("  {:<20} {:<10}", member(row, "product"), member(row, "state"));
  if (row.contains("reason")) text += fmt::format(" ({})", member(row, "reason"));
  text += fmt::format(" since {}, {} turns", member(row, "begins"), member(row, "turns"));
  for (const char* name : {"turn_ends", "ends", "unpaid_since"}) {
    if (row.contains(name) && !row[name].is_null()) {
      text += fmt::format(", {} {}", name, member(row, name));
    }
  }
  return text + "\n";
}

std::string sold_line(const Json& product) {
  std::string text = fmt::format("{:<20}", member(product, "product"));
  if (!product["fee"].is_null()) text += fmt::format(" {} once", member(product, "fee"));
  if (!product["recurring_fee"].is_null()) {
    text += fmt::format(" {} per {}", member(product, "recurring_fee"), member(product, "per"));
  }
  for (const Json& one : product["allowances"]) text += " + " + plain(one);
  text += " for";
  for (const Json& plan : product["plans"]) text += " " + plain(plan);
  return text + "\n";
}

}  // namespace

std::string products_text(const Json& list) {
  const bool is_of_account = list.contains("account");
  std::string text;
  if (is_of_account) text = member(list, "account") + ":\n";
  for (const Json& one : list["products"]) {
    text += is_of_account ? subscription_line(one) : sold_line(one);
  }
  return text;
}

std::string product_text(const Json& answer) {
  std::string text = balance_text(answer);
  if (!answer.contains("products")) return text;
  for (const Json& one : answer["products"]) text += subscription_line(one);
  return text;
}

std::string sessions_text(const Json& list) {
  std::string text;
  for (const Json& session : list["sessions"]) {
    text += fmt::format("{}  {}  {}  reserved {}\n", member(session, "started"),
                        member(session, "account"), member(session, "session_id"),
                        amounts_text(session["reserved"]));
  }
  return text + fmt::format("{} open sessions\n", member(list, "open_sessions"));
}

std::string session_text(const Json& session) {
  std::string text = fmt::format(
      "session   {}\naccount   {}\nstate     {}\nstarted   {}\nreserved  {}\n",
      member(session, "session_id"), member(session, "account"), member(session, "state"),
      member(session, "started"), amounts_text(session["reserved"]));
  for (const Json& service : session["services"]) {
    text += fmt::format("  rating group {}: {} granted {}, used {}, cost {} {}\n",
                        member(service, "rating_group"), member(service, "kind"),
                        member(service, "granted"), member(service, "used"),
                        member(service, "cost"), member(service, "currency"));
  }
  return text;
}

std::string peers_text(const Json& list) {
  std::string text;
  for (const Json& peer : list["peers"]) {
    const std::string host = member(peer, "origin_host");
    text += fmt::format("{:<32} {:<24} {:<10} {:<8} {:>8} CCR/s {:>12} answers\n",
                        host.empty() ? "-" : host, member(peer, "remote"), member(peer, "state"),
                        member(peer, "watchdog"), member(peer, "requests_per_second"),
                        member(peer, "answers"));
  }
  return text + fmt::format("{} connections\n", list["peers"].size());
}

std::string peer_text(const Json& list) {
  std::string text;
  for (const Json& peer : list["peers"]) {
    text += fmt::format("{} from {}, {} since {}\n", member(peer, "origin_host"),
                        member(peer, "remote"), member(peer, "state"), member(peer, "opened"));
    for (const char* name : {"origin_realm", "product", "watchdog", "called", "requests", "answers",
                             "requests_per_second", "round_trip_us", "origin_state_id"}) {
      text += fmt::format("  {:<20} {}\n", name, member(peer, name));
    }
    for (const auto& [code, count] : peer["codes"].items()) {
      text += fmt::format("  answers {:<12} {}\n", code, plain(count));
    }
  }
  return text;
}

std::string stats_line(const Json& stats) {
  u64 drops = 0;
  for (const Json& drop : stats["drops"]) drops += drop.get<u64>();
  std::string results;
  for (const auto& [code, count] : stats["result_codes"].items()) {
    results += fmt::format(" {}:{}", code, count.get<u64>());
  }
  return fmt::format("{:>10} CCR/s  {:>14} received {:>14} sent {:>8} dropped {}\n",
                     stats["ccr_per_second"].get<u64>(), stats["ccr_received"].get<u64>(),
                     stats["cca_sent"].get<u64>(), drops, results);
}

std::string stats_text(const Json& stats) {
  std::string text;
  for (const auto& [name, value] : stats.items()) {
    if (value.is_number()) text += fmt::format("{:<32} {:>16}\n", name, plain(value));
  }
  for (const char* group : {"result_codes", "drops"}) {
    for (const auto& [name, value] : stats[group].items()) {
      text += fmt::format("{:<32} {:>16}\n", fmt::format("{}.{}", group, name), plain(value));
    }
  }
  for (const Json& process : stats["processes"]) {
    text += fmt::format("{:<32} {:>16}\n", "process " + member(process, "name"),
                        member(process, "pid"));
  }
  return text;
}

std::string audit_text(const Json& report) {
  std::string text = fmt::format("{:<10}{:>22}{:>22}{:>18}{:>22}{:>18}\n", "unit", "put in",
                                 "balance", "reserved", "consumed", "expired");
  for (const Json& unit : report["units"]) {
    text += fmt::format("{:<10}{:>22}{:>22}{:>18}{:>22}{:>18}\n", member(unit, "unit"),
                        member(unit, "put_in"), member(unit, "balance"), member(unit, "reserved"),
                        member(unit, "consumed"), member(unit, "expired"));
  }
  for (const Json& finding : report["findings"]) text += plain(finding) + "\n";
  const bool is_clean = report.value("ok", false);
  return text + fmt::format("{} accounts, {} buckets: {}\n", member(report, "accounts"),
                            member(report, "buckets"),
                            is_clean ? "clean" : "NOT CLEAN, see the findings above");
}

std::string tariff_text(const Json& tariff) {
  std::string text = fmt::format("tariff {}\n", member(tariff, "version"));
  for (const Json& plan : tariff["plans"]) {
    text += fmt::format("plan {} ({})\n", member(plan, "name"), member(plan, "currency"));
    for (const Json& bucket : plan["initial"]) {
      text += fmt::format("  begins with {}\n", member(bucket, "amount"));
    }
    for (const Json& service : plan["services"]) {
      text += fmt::format("  service {} {}\n", member(service, "name"), member(service, "context"));
    }
  }
  return text;
}

std::string versions_text(const Json& versions) {
  std::string text;
  for (const Json& one : versions["versions"]) {
    text += fmt::format("{:>4}  {}  {}{}\n", member(one, "number"), member(one, "time"),
                        member(one, "paths"), one.value("in_force", false) ? "  in force" : "");
  }
  const Json& waiting = versions["waiting"];
  if (waiting.is_object()) {
    text += fmt::format("waits until {}: {}\n", member(waiting, "at"), member(waiting, "paths"));
  }
  return text.empty() ? "nothing was loaded by an operator yet\n" : text;
}

std::string differences_text(const Json& differences) {
  std::string text;
  for (const Json& one : differences["differences"]) {
    text += fmt::format("{}\n", member(one, "what"));
    if (!one.value("plan", "").empty()) text += fmt::format("  for plan {}\n", member(one, "plan"));
    if (!one.value("before", "").empty()) text += fmt::format("  - {}\n", member(one, "before"));
    if (!one.value("after", "").empty()) text += fmt::format("  + {}\n", member(one, "after"));
  }
  return text.empty() ? "no difference\n" : text;
}

std::string price_text(const Json& explanation) {
  std::string text;
  for (const Json& step : explanation["steps"]) text += plain(step) + "\n";
  if (!explanation.value("priced", false)) return text;
  return text + fmt::format("rule {}: {}, covered {} {}, missing {}, cost {}\n",
                            member(explanation, "rule"), member(explanation, "verdict"),
                            member(explanation, "covered"), member(explanation, "unit"),
                            member(explanation, "missing"), amounts_text(explanation["cost"]));
}

std::string cdr_files_text(const Json& list) {
  std::string text = member(list, "folder") + "\n";
  for (const Json& file : list["files"]) {
    text += fmt::format("{:<40} {:>12} {}\n", member(file, "file"), member(file, "bytes"),
                        member(file, "state"));
  }
  return text;
}

std::string cdr_line(const Json& record) {
  std::string services;
  for (const Json& service : record["services"]) {
    services += fmt::format("; rating group {}: {} {}, {} {}", member(service, "rating_group"),
                            member(service, "used"), member(service, "unit"),
                            member(service, "cost"), member(service, "currency"));
  }
  return fmt::format("{} {} {} {}{}\n", member(record, "ended"), member(record, "account"),
                     member(record, "session_id"), member(record, "cause"), services);
}

std::string verify_text(const Json& report) {
  std::string text;
  for (const Json& stream : report["streams"]) {
    text += fmt::format("stream {}: {} groups, {} entries, {} octets, groups {} to {}: {}\n",
                        member(stream, "stream"), member(stream, "groups"),
                        member(stream, "entries"), member(stream, "bytes"),
                        member(stream, "first_group"), member(stream, "last_group"),
                        stream.value("ok", false) ? "whole" : member(stream, "error"));
  }
  for (const Json& snapshot : report.value("snapshots", Json::array())) {
    const bool is_good = snapshot.value("ok", false);
    text += fmt::format("snapshot {}: {}\n", member(snapshot, "snapshot"),
                        is_good ? fmt::format("{} octets, taken {}: whole",
                                              member(snapshot, "bytes"), member(snapshot, "taken"))
                                : member(snapshot, "error"));
  }
  return text;
}

}  // namespace tollgate::tollctl
