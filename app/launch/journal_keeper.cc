// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/launch/journal_keeper.hh"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "control/cdr_writer.hh"
#include "ledger/snapshot_reader.hh"

namespace tollgate::app {
namespace {

constexpr Duration free_interval = Duration::seconds(1);

// False: nothing is known.
bool read_checkpoint(const std::string& cdr_folder, control::CdrCheckpoint& checkpoint) {
  const std::string path = cdr_folder + "/checkpoint.json";
  if (!std::filesystem::exists(path)) return false;
  try {
    const auto json = control::parse_json(control::read_whole(path));
    return json && control::from_json(*json, checkpoint);
  } catch (const control::FileError&) {
    return false;
  }
}

}  // namespace

std::vector<u64> oldest_segments_needed(const ledger::JournalFolder& journal,
                                        const std::string& cdr_folder) {
  const std::vector<u64> snapshots = ledger::list_snapshots(journal.path);
  ledger::SnapshotHeader older;
  if (snapshots.size() < 2) return {};
  const std::string why =
      ledger::read_snapshot_header(journal.path, snapshots[snapshots.size() - 2], journal, older);
  control::CdrCheckpoint checkpoint;
  if (!why.empty() || !read_checkpoint(cdr_folder, checkpoint)) return {};
  if (checkpoint.journal_id != journal.appliance) return {};
  if (checkpoint.positions.size() != journal.stream_count) return {};
  std::vector<u64> needed;
  for (u32 stream = 0; stream < journal.stream_count; ++stream) {
    needed.push_back(std::min(older.streams[stream].segment_number,
                              checkpoint.positions[stream].segment_number));
  }
  return needed;
}

bool records_are_written(const ledger::JournalFolder& journal, const std::string& cdr_folder,
                         const std::vector<ledger::JournalPosition>& positions) {
  control::CdrCheckpoint checkpoint;
  if (!read_checkpoint(cdr_folder, checkpoint)) return false;
  if (checkpoint.journal_id != journal.appliance) return false;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (i >= checkpoint.positions.size()) return false;
    if (checkpoint.positions[i].next_sequence < positions[i].next_sequence) return false;
  }
  return true;
}

JournalKeeper::JournalKeeper(const Config& config, const ledger::JournalFolder& journal,
                             ApplianceMemory& memory)
    : journal_(journal), cdr_folder_(config.cdr_folder), memory_(memory) {
  for (u32 stream = 0; stream < journal_.stream_count; ++stream) {
    keepers_.emplace_back(journal_, stream, config.journal_segments_ahead);
  }
}

void JournalKeeper::run(Instant now) {
  if (now - freed_at_ >= free_interval || now < freed_at_) {
    freed_at_ = now;
    free_behind();
  }
  make_ahead();
}

void JournalKeeper::make_ahead() {
  for (u32 stream = 0; stream < keepers_.size(); ++stream) {
    const u64 current = memory_.journal(stream)->current_segment.load();
    const std::string why = keepers_[stream].keep_ahead(current);
    if (why != last_why_ && !why.empty()) {
      std::fprintf(stderr, "tollgate: %s; new charges are refused until there is room\n",
                   why.c_str());
    }
    if (!why.empty() || !last_why_.empty()) last_why_ = why;
  }
}

void JournalKeeper::free_behind() {
  const std::vector<u64> needed = oldest_segments_needed(journal_, cdr_folder_);
  for (u32 stream = 0; stream < needed.size(); ++stream) {
    keepers_[stream].free_below(needed[stream]);
  }
}

}  // namespace tollgate::app
