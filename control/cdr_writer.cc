// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/cdr_writer.hh"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>

#include "base/check.hh"

namespace tollgate::control {
namespace {

// A whole number in a member of an object; false if it is not there or of another kind.
bool read_number(const Json& json, const char* name, u64& number) {
  const auto found = json.is_object() ? json.find(name) : json.end();
  if (!json.is_object() || found == json.end() || !found->is_number_unsigned()) return false;
  number = found->get<u64>();
  return true;
}

bool read_key(const Json& line, CdrKey& key) {
  if (!line.is_object() || !line.contains("journal")) return false;
  const Json& journal = line["journal"];
  u64 shard = 0;
  if (!read_number(journal, "shard", shard) || shard >= ledger::shard_count) return false;
  key.shard = static_cast<u32>(shard);
  return read_number(journal, "sequence", key.sequence);
}

bool read_position(const Json& json, ledger::JournalPosition& position) {
  return read_number(json, "segment", position.segment_number) &&
         read_number(json, "offset", position.offset) &&
         read_number(json, "next_group", position.next_sequence) &&
         read_number(json, "previous_hash", position.previous_hash);
}

}  // namespace

Json to_json(const CdrCheckpoint& checkpoint) {
  Json streams = Json::array();
  for (const ledger::JournalPosition& position : checkpoint.positions) {
    streams.push_back(Json{{"segment", position.segment_number},
                           {"offset", position.offset},
                           {"next_group", position.next_sequence},
                           {"previous_hash", position.previous_hash}});
  }
  return Json{{"journal_id", checkpoint.journal_id},
              {"closed_number", checkpoint.closed_number},
              {"written", checkpoint.written},
              {"streams", std::move(streams)}};
}

bool from_json(const Json& json, CdrCheckpoint& checkpoint) {
  CdrCheckpoint read;
  if (!read_number(json, "journal_id", read.journal_id) ||
      !read_number(json, "closed_number", read.closed_number)) {
    return false;
  }
  const auto written = json.find("written");
  const auto streams = json.find("streams");
  if (written == json.end() || streams == json.end()) return false;
  if (!written->is_array() || written->size() != read.written.size()) return false;
  for (std::size_t shard = 0; shard < read.written.size(); ++shard) {
    if (!(*written)[shard].is_number_unsigned()) return false;
    read.written[shard] = (*written)[shard].get<u64>();
  }
  for (const Json& stream : *streams) {
    if (!read_position(stream, read.positions.emplace_back())) return false;
  }
  checkpoint = std::move(read);
  return true;
}

u64 scan_open_file(std::string_view octets, std::array<u64, ledger::shard_count>& written) {
  u64 good_bytes = 0;
  for (;;) {
    const std::size_t end = octets.find('\n', good_bytes);
    if (end == std::string_view::npos) return good_bytes;
    const auto line = parse_json(octets.substr(good_bytes, end - good_bytes));
    CdrKey key;
    if (!line || !read_key(*line, key)) return good_bytes;
    written[key.shard] = std::max(written[key.shard], key.sequence);
    good_bytes = end + 1;
  }
}

CdrWriter::CdrWriter(Options options, Instant now) : options_(std::move(options)) {
  std::filesystem::create_directories(options_.folder);
  load_checkpoint();
  take_over_open_file(now);
}

std::string CdrWriter::closed_path(u64 number) const {
  return fmt::format("{}/{}-{:08}.jsonl", options_.folder, options_.name, number);
}

void CdrWriter::load_checkpoint() {
  checkpoint_.journal_id = options_.journal_id;
  if (std::filesystem::exists(checkpoint_path())) {
    const auto json = parse_json(read_whole(checkpoint_path()));
    if (!json || !from_json(*json, checkpoint_)) {
      throw FileError(
          fmt::format("{} is damaged: restore it from a backup; without it records "
                      "would be written twice",
                      checkpoint_path()));
    }
  }
  if (checkpoint_.journal_id == options_.journal_id) {
    // A closing that was cut short after its checkpoint.
    const u64 number = checkpoint_.closed_number;
    if (number != 0 && std::filesystem::exists(open_path(number))) {
      rename_file(open_path(number), closed_path(number));
    }
  } else {
    spdlog::warn("{} is about another journal: its records are left as they are, new ones follow",
                 checkpoint_path());
    const u64 number = checkpoint_.closed_number;
    for (const u64 at : {number, number + 1}) {
      if (at == 0 || !std::filesystem::exists(open_path(at))) continue;
      rename_file(open_path(at), closed_path(at));
      checkpoint_.closed_number = at;
    }
    checkpoint_.journal_id = options_.journal_id;
    checkpoint_.written = {};
    checkpoint_.positions.clear();
  }
  write_checkpoint(checkpoint_);
  written_ = checkpoint_.written;
}

void CdrWriter::take_over_open_file(Instant now) {
  const std::string path = open_path(checkpoint_.closed_number + 1);
  if (!std::filesystem::exists(path)) return;
  const std::string octets = read_whole(path);
  file_bytes_ = scan_open_file(octets, written_);
  file_ = File(path, O_WRONLY | O_APPEND);
  if (file_bytes_ != octets.size()) {
    spdlog::info("{}: {} octets of a record that was being written are cut off", path,
                 octets.size() - file_bytes_);
    file_.truncate(file_bytes_);
    file_.sync();
  }
  opened_at_ = now;
}

void CdrWriter::write_checkpoint(const CdrCheckpoint& checkpoint) {
  replace_whole(checkpoint_path(), to_line(to_json(checkpoint)) + "\n");
}

void CdrWriter::append(const CdrKey& key, std::string_view line) {
  check(key.shard < ledger::shard_count, "a record is of a shard that exists");
  if (is_written(key)) return;
  queue_.append(line);
  queue_.push_back('\n');
  written_[key.shard] = key.sequence;
  ++record_count_;
}

void CdrWriter::flush(Instant now, const std::vector<ledger::JournalPosition>& positions) {
  if (!queue_.empty()) {
    if (!file_.is_open()) {
      const std::string path = open_path(checkpoint_.closed_number + 1);
      file_ = File(path, O_WRONLY | O_CREAT | O_APPEND);
      file_bytes_ = 0;
      opened_at_ = now;
      reached("created");
    }
    // A write that failed half way is tried again as a whole.
    if (file_.size() != file_bytes_) file_.truncate(file_bytes_);
    file_.write(queue_);
    file_bytes_ += queue_.size();
    queue_.clear();
    reached("written");
  }
  const bool is_large = file_bytes_ >= options_.rotation_bytes;
  const bool is_old = now - opened_at_ >= options_.rotation_time;
  if (file_.is_open() && file_bytes_ != 0 && (is_large || is_old)) close_file(positions);
  pass_segments(positions);
}

void CdrWriter::pass_segments(const std::vector<ledger::JournalPosition>& positions) {
  bool has_passed = false;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const bool is_known = i < checkpoint_.positions.size();
    const u64 segment = is_known ? checkpoint_.positions[i].segment_number : 1;
    has_passed = has_passed || positions[i].segment_number > segment;
  }
  if (has_passed) checkpoint(positions);
}

void CdrWriter::checkpoint(const std::vector<ledger::JournalPosition>& positions) {
  check(queue_.empty(), "what lies before a checkpoint is written");
  if (file_.is_open()) {
    file_.sync();
    sync_folder(options_.folder);
    reached("synced");
  }
  CdrCheckpoint next = checkpoint_;
  next.positions = positions;
  write_checkpoint(next);
  checkpoint_ = std::move(next);
  reached("passed");
}

void CdrWriter::close_file(const std::vector<ledger::JournalPosition>& positions) {
  check(queue_.empty(), "a file is closed when all is written");
  if (!file_.is_open() || file_bytes_ == 0) return;
  file_.sync();
  sync_folder(options_.folder);
  reached("synced");
  CdrCheckpoint next = checkpoint_;
  ++next.closed_number;
  next.written = written_;
  next.positions = positions;
  write_checkpoint(next);
  checkpoint_ = std::move(next);
  file_.close();
  file_bytes_ = 0;
  reached("checkpointed");
  rename_file(open_path(checkpoint_.closed_number), closed_path(checkpoint_.closed_number));
  reached("renamed");
}

}  // namespace tollgate::control
