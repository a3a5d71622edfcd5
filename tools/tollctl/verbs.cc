// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/verbs.hh"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>

#include "base/check.hh"
#include "control/file.hh"
#include "tools/tollctl/client.hh"
#include "tools/tollctl/offline.hh"
#include "tools/tollctl/print.hh"
#include "tools/tollctl/replay.hh"
#include "tools/tollctl/route.hh"
#include "tools/tollctl/settings.hh"
#include "tools/tollctl/trace.hh"

namespace tollgate::tollctl {
namespace {

constexpr int exit_refused = 1;
constexpr int exit_usage = 2;
constexpr int exit_no_appliance = 3;

void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void tell(const CommandLine& line, const Json& result, const std::string& text) {
  say(line.is_json ? control::to_line(result) + "\n" : text);
}

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

Settings settings_of(const CommandLine& line) {
  Settings settings;
  settings.socket_path = line.socket;
  if (line.config.empty()) return settings;
  const std::string why = read_config(line.config, settings);
  if (!why.empty()) throw control::Refused(control::refusal::bad_request, why);
  return settings;
}

Client connect(const CommandLine& line) {
  const Settings settings = settings_of(line);
  if (settings.socket_path.empty()) {
    throw control::Refused(control::refusal::bad_request,
                           "which appliance? Give --config FILE or --socket PATH");
  }
  return Client(settings.socket_path);
}

// Verbs that are one question and one answer.
using Show = std::string (*)(const Json&);
const std::map<std::string, Show>& simple_verbs() {
  static const std::map<std::string, Show> verbs = {
      {"account.add", account_text},
      {"account.show", account_text},
      {"account.set", account_text},
      {"account.remove", account_text},
      {"account.history", history_text},
      {"account.limit", balance_text},
      {"refund", balance_text},
      {"topup", balance_text},
      {"adjust", balance_text},
      {"transfer", balance_text},
      {"voucher.redeem", balance_text},
      {"voucher.show", voucher_text},
      {"voucher.list", voucher_batches_text},
      {"product.list", products_text},
      {"product.buy", product_text},
      {"product.suspend", product_text},
      {"product.resume", product_text},
      {"product.end", product_text},
      {"session.list", sessions_text},
      {"session.show", session_text},
      {"session.drop", balance_text},
      {"session.reauth", plain},
      {"session.abort", plain},
      {"tariff.list", tariff_text},
      {"peer.list", peers_text},
      {"peer.show", peer_text},
      {"tariff.versions", versions_text},
      {"tariff.rollback", versions_text},
      {"tariff.cancel", versions_text},
      {"cdr.list", cdr_files_text},
      {"audit", audit_text},
  };
  return verbs;
}

int run_simple(const CommandLine& line, Show show) {
  Client client = connect(line);
  const Json result = client.call(line.verb, line.args);
  tell(line, result, show(result));
  return line.verb == "audit" && !result.value("ok", false) ? exit_refused : 0;
}

// Page after page; as one object for programs.
int list_accounts(const CommandLine& line) {
  Client client = connect(line);
  Json next = "";
  const char* separator = "{\"accounts\":[";
  while (next.is_string()) {
    const Json page = client.call("account.list", Json{{"after", next}});
    next = page["next"];
    if (!line.is_json) say(account_rows(page["accounts"]));
    for (const Json& account : page["accounts"]) {
      if (!line.is_json) break;
      say(separator + control::to_line(account));
      separator = ",";
    }
    if (line.is_json && page["accounts"].empty() && separator[0] == '{') {
      say(separator);
      separator = ",";
    }
  }
  if (line.is_json) say("]}\n");
  return 0;
}

int import_accounts(const CommandLine& line) {
  Client client = connect(line);
  const bool is_terminal = ::isatty(STDERR_FILENO) != 0;
  const auto progress = [&](const Json& state) {
    const u64 total = std::max<u64>(state["total_bytes"].get<u64>(), 1);
    fmt::print(stderr, "{}{}: {} lines, {} %, {} imported{}", is_terminal ? "\r" : "",
               state["phase"].get<std::string>(), state["lines"].get<u64>(),
               state["done_bytes"].get<u64>() * 100 / total, state["imported"].get<u64>(),
               is_terminal ? "   " : "\n");
  };
  const auto end_progress = [&] {
    if (is_terminal) fmt::print(stderr, "\r\033[K");
  };
  try {
    const Json result =
        client.call("account.import", Json{{"path", absolute(line.path)}}, progress);
    end_progress();
    tell(line, result,
         fmt::format("{} imported, {} were there already, {} s\n", plain(result["imported"]),
                     plain(result["there_already"]), plain(result["seconds"])));
  } catch (const control::Refused&) {
    end_progress();
    throw;
  }
  return 0;
}

int import_vouchers(const CommandLine& line) {
  Json args = line.args;
  args["path"] = absolute(line.path);
  const Json result = connect(line).call("voucher.import", args);
  tell(line, result,
       fmt::format("{}: {} vouchers\n", plain(result["batch"]), plain(result["imported"])));
  return 0;
}

int watch_stats(const CommandLine& line, bool is_whole_screen) {
  Client client = connect(line);
  for (;;) {
    const Json stats = client.call("stats", Json::object());
    if (is_whole_screen && !line.is_json) {
      say("\033[H\033[2J" + stats_text(stats));
    } else {
      tell(line, stats, stats_line(stats));
    }
    ::sleep(1);
  }
}

int show_stats(const CommandLine& line) {
  if (line.watches) return watch_stats(line, false);
  Client client = connect(line);
  const Json stats = client.call("stats", Json::object());
  tell(line, stats, stats_text(stats));
  return 0;
}

int check_tariff_file(const CommandLine& line) {
  const Json report = check_tariff(line.path);
  const bool is_good = report.value("ok", false);
  if (line.is_json || is_good) {
    tell(line, report,
         fmt::format("{} plans, {} rules, {} examples: no mistakes\n", plain(report["plans"]),
                     plain(report["rules"]), plain(report["examples"])));
  }
  for (const Json& mistake : report["mistakes"]) {
    fmt::print(stderr, "{}\n", plain(mistake["text"]));
  }
  return is_good ? 0 : exit_refused;
}

int load_tariff(const CommandLine& line) {
  Client client = connect(line);
  Json args = line.args;
  args["path"] = absolute(line.path);
  const Json result = client.call("tariff.load", args);
  tell(line, result, args.contains("at") ? versions_text(result) : tariff_text(result));
  return 0;
}

int diff_tariff(const CommandLine& line) {
  const Json told = diff_tariffs(line.tariff, line.path);
  tell(line, told, differences_text(told));
  return 0;
}

int format_tariff_files(const CommandLine& line) {
  const Json told = format_tariffs(line.path);
  std::string text = fmt::format("{} files looked at\n", plain(told["files"]));
  for (const Json& file : told["changed"]) text += fmt::format("{}: written anew\n", plain(file));
  tell(line, told, text);
  return 0;
}

int price_event(const CommandLine& line) {
  const auto event = control::parse_json(control::read_whole(line.path));
  if (!event || !event->is_object()) {
    throw control::Refused(control::refusal::bad_request,
                           fmt::format("{}: expected one JSON object", line.path));
  }
  const Json told = line.tariff.empty() ? connect(line).call("tariff.price", *event)
                                        : price_with(line.tariff, *event);
  tell(line, told, price_text(told));
  return 0;
}

int tail_records(const CommandLine& line) {
  std::string folder = settings_of(line).cdr_folder;
  if (folder.empty()) {
    folder = connect(line).call("info", Json::object())["cdr_folder"].get<std::string>();
  }
  Json records = Json::array();
  tail_cdrs(folder, line.count, line.watches, [&](const Json& record) {
    if (line.is_json && !line.watches) {
      records.push_back(record);
    } else {
      tell(line, record, cdr_line(record));
    }
    return true;
  });
  if (line.is_json) say(control::to_line(Json{{"cdrs", std::move(records)}}) + "\n");
  return 0;
}

int verify_folder(const CommandLine& line) {
  const Json report = verify_journal(line.path);
  tell(line, report, verify_text(report));
  return report.value("ok", false) ? 0 : exit_refused;
}

int dump_folder(const CommandLine& line) {
  const char* separator = "{\"entries\":[";
  dump_journal(line.path, [&](const Json& entry) {
    if (!line.is_json) return say(control::to_line(entry) + "\n");
    say(separator + control::to_line(entry));
    separator = ",";
  });
  if (line.is_json) say(std::string(separator[0] == '{' ? separator : "") + "]}\n");
  return 0;
}

// As it happens; as one object at the end for programs.
int watch_trace(const CommandLine& line) {
  TraceView view(line.path);
  Client client = connect(line);
  Json records = Json::array();
  const auto progress = [&](const Json& told) {
    if (told.contains("armed")) return fmt::print(stderr, "watching\n");
    Json record = told;
    const std::string text = view.show(record);
    if (line.is_json) return records.push_back(std::move(record));
    say(text);
  };
  Json result = client.call(line.verb, line.args, progress);
  const std::string text = trace_end_text(result);
  if (line.is_json) result["records"] = std::move(records);
  tell(line, result, text);
  return 0;
}

int dispatch(const CommandLine& line) {
  if (!line.config.empty()) static_cast<void>(settings_of(line));  // the names of units, for all
  const auto simple = simple_verbs().find(line.verb);
  if (simple != simple_verbs().end()) return run_simple(line, simple->second);
  if (line.verb == "account.list") return list_accounts(line);
  if (line.verb == "account.import") return import_accounts(line);
  if (line.verb == "voucher.import") return import_vouchers(line);
  if (line.verb == "stats") return show_stats(line);
  if (line.verb == "top") return watch_stats(line, true);
  if (line.verb == "tariff.check") return check_tariff_file(line);
  if (line.verb == "tariff.load") return load_tariff(line);
  if (line.verb == "tariff.diff") return diff_tariff(line);
  if (line.verb == "tariff.format") return format_tariff_files(line);
  if (line.verb == "tariff.price") return price_event(line);
  if (line.verb == "tariff.route") {
    const Json routes = find_routes(line.route);
    tell(line, routes, route_text(routes));
    return 0;
  }
  if (line.verb == "tariff.replay") {
    const Json report = replay_records(line.path, line.tariff);
    tell(line, report, replay_text(report));
    return 0;
  }
  if (line.verb.starts_with("trace.")) return watch_trace(line);
  if (line.verb == "cdr.tail") return tail_records(line);
  if (line.verb == "journal.verify") return verify_folder(line);
  check(line.verb == "journal.dump", "every verb of the command line is done somewhere");
  return dump_folder(line);
}

}  // namespace

int run(const CommandLine& line) {
  try {
    return dispatch(line);
  } catch (const NoAppliance& error) {
    fmt::print(stderr, "tollctl: {}\n", error.what());
    return exit_no_appliance;
  } catch (const control::Refused& refused) {
    const Json& extra = refused.extra;
    if (extra.is_object() && extra.contains("mistakes")) {
      for (const Json& mistake : extra["mistakes"]) {
        fmt::print(stderr, "{}\n", plain(mistake["text"]));
      }
    }
    fmt::print(stderr, "tollctl: {}: {}\n", refused.outcome, refused.what());
    return refused.outcome == control::refusal::bad_request ? exit_usage : exit_refused;
  } catch (const std::exception& error) {
    fmt::print(stderr, "tollctl: {}\n", error.what());
    return exit_refused;
  }
}

}  // namespace tollgate::tollctl
