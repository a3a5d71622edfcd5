// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/offline.hh"

#include <fmt/format.h>
#include <unistd.h>

#include <deque>

#include "control/cdr_format.hh"
#include "control/cdr_task.hh"
#include "control/file.hh"
#include "control/tariffs.hh"
#include "control/views.hh"
#include "ledger/journal_reader.hh"

namespace tollgate::tollctl {
namespace {

ledger::JournalFolder open_journal(const std::string& path) {
  ledger::JournalFolder folder;
  folder.path = path;
  const std::string why = folder.open();
  if (!why.empty()) throw control::Refused(control::refusal::bad_file, why);
  return folder;
}

std::string_view to_text(ledger::EntryKind kind) {
  switch (kind) {
    case ledger::EntryKind::answer_only:
      return "answer_only";
    case ledger::EntryKind::request:
      return "request";
    case ledger::EntryKind::command:
      return "command";
    case ledger::EntryKind::timer:
      return "timer";
  }
  return "unknown";
}

std::string_view to_text(ledger::Pool pool) {
  switch (pool) {
    case ledger::Pool::account:
      return "account";
    case ledger::Pool::bucket:
      return "bucket";
    case ledger::Pool::session:
      return "session";
    case ledger::Pool::extension:
      return "extension";
    case ledger::Pool::note:
      return "note";
    case ledger::Pool::none:
      break;
  }
  return "none";
}

Json describe_entry(u32 stream, u64 group, const ledger::EntryHeader& header, Bytes bytes) {
  Json told{{"stream", stream},
            {"group", group},
            {"shard", header.shard},
            {"sequence", header.sequence},
            {"time", to_rfc3339(Instant{header.time_ns})},
            {"kind", to_text(header.kind)},
            {"bytes", header.bytes}};
  Json parts = Json::array();
  const bool is_whole =
      ledger::for_each_part(header, bytes, [&](const ledger::PartHeader& part, Bytes words) {
        parts.push_back(Json{{"pool", to_text(part.pool)},
                             {"index", part.index},
                             {"at_word", part.at_word},
                             {"words", words.size() / 8}});
        control::ChargingRecord record;
        if (part.pool == ledger::Pool::note &&
            part.index == static_cast<u32>(ledger::NoteKind::charging_data) &&
            control::read_charging_note(words, record)) {
          parts.back()["session_id"] = record.session_id;
        }
      });
  told["parts"] = std::move(parts);
  if (!is_whole) told["error"] = "the parts do not fill the entry";
  return told;
}

Json verify_stream(const ledger::JournalFolder& folder, u32 stream) {
  const ledger::JournalPosition from = control::oldest_position(folder, stream);
  ledger::JournalReader reader(folder, stream, from);
  u64 groups = 0;
  u64 entries = 0;
  u64 bytes = 0;
  std::string error;
  ledger::Group group;
  ledger::ReadOutcome outcome = reader.next(group);
  for (; outcome == ledger::ReadOutcome::group; outcome = reader.next(group)) {
    ++groups;
    bytes += sizeof group.header + group.payload.size();
    const bool is_whole = ledger::for_each_entry(
        group.payload, [&](const ledger::EntryHeader&, Bytes) { ++entries; });
    if (!is_whole) error = fmt::format("the entries do not fill group {}", group.header.sequence);
  }
  if (outcome == ledger::ReadOutcome::failure) error = reader.error();
  if (error.empty()) error = reader.verify_end();
  return Json{{"stream", stream},
              {"ok", error.empty()},
              {"groups", groups},
              {"entries", entries},
              {"bytes", bytes},
              {"first_group", from.next_sequence},
              {"last_group", reader.position().next_sequence - 1},
              {"error", error}};
}

// The lines of a CDR file from `at` on that are whole; `at` moves behind them.
void read_lines(const std::string& path, u64& at, const std::function<void(const Json&)>& show) {
  const std::string octets = control::read_whole(path);
  for (;;) {
    const std::size_t end = octets.find('\n', at);
    if (end == std::string::npos) return;
    if (const auto record = control::parse_json(std::string_view(octets).substr(at, end - at))) {
      show(*record);
    }
    at = end + 1;
  }
}

}  // namespace

Json check_tariff(const std::string& path) {
  const rating::Compiled compiled = control::compile_paths({path});
  return Json{{"ok", compiled.is_good()},
              {"plans", compiled.plan_count},
              {"rules", compiled.rule_count},
              {"examples", compiled.example_count},
              {"mistakes", control::describe_mistakes(compiled.diagnostics)}};
}

Json price_with(const std::string& tariff_path, const Json& event) {
  const rating::Compiled compiled = control::compile_paths({tariff_path});
  if (!compiled.is_good()) {
    throw control::Refused(control::refusal::bad_file, "the tariff has mistakes",
                           Json{{"mistakes", control::describe_mistakes(compiled.diagnostics)}});
  }
  const rating::Image image{Bytes(compiled.image)};
  return control::describe(rating::explain(image, control::read_price_event(event)));
}

Json verify_journal(const std::string& path) {
  const ledger::JournalFolder folder = open_journal(path);
  Json streams = Json::array();
  bool is_good = true;
  for (u32 stream = 0; stream < folder.stream_count; ++stream) {
    streams.push_back(verify_stream(folder, stream));
    is_good = is_good && streams.back().value("ok", false);
  }
  return Json{{"ok", is_good},
              {"appliance", fmt::format("{:016x}", folder.appliance)},
              {"streams", std::move(streams)}};
}

void dump_journal(const std::string& path, const std::function<void(const Json&)>& show) {
  const ledger::JournalFolder folder = open_journal(path);
  for (u32 stream = 0; stream < folder.stream_count; ++stream) {
    ledger::JournalReader reader(folder, stream, control::oldest_position(folder, stream));
    ledger::Group group;
    while (reader.next(group) == ledger::ReadOutcome::group) {
      const bool is_whole = ledger::for_each_entry(
          group.payload, [&](const ledger::EntryHeader& header, Bytes bytes) {
            show(describe_entry(stream, group.header.sequence, header, bytes));
          });
      if (!is_whole) show(Json{{"stream", stream}, {"error", "the entries do not fill the group"}});
    }
    if (!reader.error().empty()) {
      throw control::Refused(control::refusal::bad_file, reader.error());
    }
  }
}

void tail_cdrs(const std::string& folder, u64 count, bool follows,
               const std::function<bool(const Json&)>& show) {
  std::deque<Json> last;
  std::string current;  // the file that is being followed, without ".open"
  u64 at = 0;
  bool is_first_look = true;
  for (;;) {
    bool goes_on = true;
    const Json listed = control::list_cdr_files(folder);
    for (const Json& file : listed["files"]) {
      const std::string name = file["file"].get<std::string>();
      const std::string number = name.substr(0, name.rfind(".jsonl"));
      if (number < current) continue;
      if (number != current) at = 0;
      current = number;
      read_lines(folder + "/" + name, at, [&](const Json& record) {
        if (!is_first_look) goes_on = goes_on && show(record);
        if (is_first_look) last.push_back(record);
        if (last.size() > count) last.pop_front();
      });
    }
    for (const Json& record : last) goes_on = goes_on && show(record);
    last.clear();
    is_first_look = false;
    if (!follows || !goes_on) return;
    ::usleep(200'000);
  }
}

}  // namespace tollgate::tollctl
