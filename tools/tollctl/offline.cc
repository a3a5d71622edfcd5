// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollctl/offline.hh"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <deque>
#include <fstream>

#include "app/avp_names.hh"
#include "control/cdr_format.hh"
#include "control/cdr_task.hh"
#include "control/file.hh"
#include "control/tariffs.hh"
#include "control/views.hh"
#include "ledger/journal_reader.hh"
#include "ledger/snapshot_reader.hh"
#include "rating/diff.hh"
#include "rating/format.hh"

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

// The entries of a shard are numbered without a gap; one that was packed twice comes twice. Where
// there are several streams, a shard may have gone on in another one: then a gap is none.
class SequenceCheck {
 public:
  explicit SequenceCheck(const ledger::JournalFolder& folder) : is_on_(folder.stream_count == 1) {}

  std::string take(const ledger::EntryHeader& entry) {
    if (entry.shard >= ledger::shard_count) return fmt::format("there is no shard {}", entry.shard);
    u64& last = last_[entry.shard];
    const u64 before = last;
    const bool is_known = before != 0;
    if (entry.kind == ledger::EntryKind::answer_only || entry.sequence <= before) return {};
    last = entry.sequence;
    if (!is_on_ || !is_known || entry.sequence == before + 1) return {};
    return fmt::format("shard {} jumps from entry {} to entry {}", entry.shard, before,
                       entry.sequence);
  }

 private:
  bool is_on_;
  std::array<u64, ledger::shard_count> last_{};
};

Json verify_stream(const ledger::JournalFolder& folder, u32 stream) {
  const ledger::JournalPosition from = control::oldest_position(folder, stream);
  ledger::JournalReader reader(folder, stream, from);
  SequenceCheck sequences(folder);
  u64 groups = 0;
  u64 entries = 0;
  u64 bytes = 0;
  std::string error;
  ledger::Group group;
  ledger::ReadOutcome outcome = reader.next(group);
  for (; outcome == ledger::ReadOutcome::group; outcome = reader.next(group)) {
    ++groups;
    bytes += sizeof group.header + group.payload.size();
    std::string fault;
    const bool is_whole =
        ledger::for_each_entry(group.payload, [&](const ledger::EntryHeader& entry, Bytes) {
          ++entries;
          if (fault.empty()) fault = sequences.take(entry);
        });
    if (!is_whole) fault = "the entries do not fill their group";
    if (fault.empty() || !error.empty()) continue;
    error = fmt::format("stream {} segment {} offset {}, group {}: {}", stream,
                        group.segment_number, group.offset, group.header.sequence, fault);
  }
  if (error.empty() && outcome == ledger::ReadOutcome::failure) error = reader.error();
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

// What a snapshot tells of itself, and whether it and the journal behind it are whole. `streams` is
// what verify_stream found.
Json verify_snapshot(const ledger::JournalFolder& folder, u64 number, const Json& streams) {
  ledger::SnapshotHeader header;
  std::string error = ledger::read_snapshot_header(folder.path, number, folder, header);
  const bool is_readable = error.empty();
  if (is_readable) error = ledger::verify_snapshot(folder.path, header, [](u64, u64) {});
  for (u32 i = 0; is_readable && error.empty() && i < header.stream_count; ++i) {
    const u64 first = streams[i].value("first_group", u64{0});
    const u64 last = streams[i].value("last_group", u64{0});
    if (header.streams[i].next_sequence < first || header.streams[i].durable_sequence > last) {
      error = fmt::format("it needs the groups {} to {} of stream {}, there are {} to {}",
                          header.streams[i].next_sequence, header.streams[i].durable_sequence, i,
                          first, last);
    }
  }
  Json told{{"snapshot", number}, {"ok", error.empty()}, {"error", error}};
  if (is_readable) {
    told["taken"] = to_rfc3339(Instant{header.taken_ns});
    told["bytes"] = header.file_bytes;
  }
  return told;
}

Json describe_snapshot(const ledger::SnapshotHeader& header) {
  Json streams = Json::array();
  for (u32 i = 0; i < header.stream_count; ++i) {
    streams.push_back(Json{{"segment", header.streams[i].segment_number},
                           {"offset", header.streams[i].offset},
                           {"next_group", header.streams[i].next_sequence},
                           {"durable_group", header.streams[i].durable_sequence}});
  }
  Json records = Json::object();
  for (u32 pool = 0; pool < ledger::pool_count; ++pool) {
    u64 count = 0;
    for (const ledger::SnapshotShard& shard : header.shards) {
      count += shard.used_end[pool] > 0 ? shard.used_end[pool] - 1 : 0;
    }
    records[std::string(to_text(static_cast<ledger::Pool>(pool + 1)))] = count;
  }
  return Json{{"snapshot", header.number},     {"taken", to_rfc3339(Instant{header.taken_ns})},
              {"bytes", header.file_bytes},    {"chunks", header.chunk_count},
              {"streams", std::move(streams)}, {"records", std::move(records)}};
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

rating::Compiled compile_tariff(const std::string& path) {
  const app::DictionaryNames names;
  return control::compile_paths({path}, &names);
}

}  // namespace

Json check_tariff(const std::string& path) {
  const rating::Compiled compiled = compile_tariff(path);
  return Json{{"ok", compiled.is_good()},
              {"plans", compiled.plan_count},
              {"rules", compiled.rule_count},
              {"examples", compiled.example_count},
              {"mistakes", control::describe_mistakes(compiled.diagnostics)}};
}

std::vector<u8> compile_or_refuse(const std::string& tariff_path) {
  rating::Compiled compiled = compile_tariff(tariff_path);
  if (!compiled.is_good()) {
    throw control::Refused(control::refusal::bad_file, "the tariff has mistakes",
                           Json{{"mistakes", control::describe_mistakes(compiled.diagnostics)}});
  }
  return std::move(compiled.image);
}

Json diff_tariffs(const std::string& before, const std::string& after) {
  const std::vector<u8> old_tariff = compile_or_refuse(before);
  const std::vector<u8> new_tariff = compile_or_refuse(after);
  Json all = Json::array();
  for (const rating::Difference& one :
       rating::compare(rating::Image(rating::tariff_part(old_tariff)),
                       rating::Image(rating::tariff_part(new_tariff)))) {
    all.push_back(
        Json{{"plan", one.plan}, {"what", one.what}, {"before", one.before}, {"after", one.after}});
  }
  return Json{{"differences", std::move(all)}};
}

Json format_tariffs(const std::string& path) {
  Json changed = Json::array();
  u64 files = 0;
  for (const std::string& file : control::tariff_files(path)) {
    if (!file.ends_with(".tariff")) continue;
    ++files;
    const std::string text = control::read_whole(file);
    const std::string formatted = rating::format_tariff(text);
    if (formatted == text) continue;
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << formatted;
    if (!out.flush().good()) {
      throw control::Refused(control::refusal::bad_file,
                             fmt::format("{}: cannot be written", file));
    }
    changed.push_back(file);
  }
  return Json{{"files", files}, {"changed", std::move(changed)}};
}

Json price_with(const std::string& tariff_path, const Json& event) {
  const std::vector<u8> compiled = compile_or_refuse(tariff_path);
  const rating::Image image{rating::tariff_part(compiled)};
  return control::price_event(image, event);
}

Json verify_journal(const std::string& path) {
  const ledger::JournalFolder folder = open_journal(path);
  Json streams = Json::array();
  bool is_good = true;
  for (u32 stream = 0; stream < folder.stream_count; ++stream) {
    streams.push_back(verify_stream(folder, stream));
    is_good = is_good && streams.back().value("ok", false);
  }
  Json snapshots = Json::array();
  for (const u64 number : ledger::list_snapshots(path)) {
    snapshots.push_back(verify_snapshot(folder, number, streams));
    is_good = is_good && snapshots.back().value("ok", false);
  }
  return Json{{"ok", is_good},
              {"appliance", fmt::format("{:016x}", folder.appliance)},
              {"streams", std::move(streams)},
              {"snapshots", std::move(snapshots)}};
}

void dump_journal(const std::string& path, const std::function<void(const Json&)>& show) {
  const ledger::JournalFolder folder = open_journal(path);
  for (const u64 number : ledger::list_snapshots(path)) {
    ledger::SnapshotHeader header;
    const std::string why = ledger::read_snapshot_header(path, number, folder, header);
    show(why.empty() ? describe_snapshot(header) : Json{{"snapshot", number}, {"error", why}});
  }
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
    const std::string why = reader.error().empty() ? reader.verify_end() : reader.error();
    if (!why.empty()) throw control::Refused(control::refusal::bad_file, why);
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
