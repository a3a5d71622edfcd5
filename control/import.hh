// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Import: many accounts from a file, all or nothing as far as its mistakes go.
//
// First the whole file is checked: every line, doubles inside the file, and against what is there
// already. One mistake, and nothing is loaded. An account that is there already, exactly so, is
// passed over and counted: an import that was interrupted is simply repeated. Then it is loaded in
// batches: pending rows in one transaction, their commands through the links, their places stored
// with the next batch.
//
// It works in steps between everything else that control does.
#pragma once

#include <memory>

#include "base/hash.hh"
#include "control/import_file.hh"

namespace tollgate::control {

// The check, in steps; after it the file's mistakes are complete.
class ImportCheck {
 public:
  ImportCheck(ImportFile& file, const Tariffs& tariffs, Store& store);

  // Looks at some rows. False when all have been.
  bool step();

  u64 row_count() const { return row_count_; }
  u64 there_already_count() const { return there_already_count_; }
  bool is_there_already(u64 row_index) const { return is_there_already_[row_index]; }

 private:
  struct Seen {
    Hash128 hash;
    u64 line;
    u32 column;
  };
  void check_row(const ImportRow& row);
  void check_identity(const ImportRow& row, const ImportCell& cell, bool is_known_account,
                      std::vector<ledger::IdentityKey>& keys);
  void check_against_store(const ImportRow& row, const AccountRow& there,
                           const std::vector<ledger::IdentityKey>& keys);
  void find_doubles(std::vector<Seen>& seen, std::string_view what);

  static constexpr u32 rows_per_step = 5'000;

  ImportFile& file_;
  const Tariffs& tariffs_;
  Store& store_;
  bool is_store_empty_;
  std::vector<bool> is_there_already_;  // by row
  std::vector<Seen> names_;
  std::vector<Seen> keys_;
  u64 row_count_ = 0;
  u64 there_already_count_ = 0;
};

class Import {
 public:
  Import(Context& context, Reconcile& reconcile, const std::string& path, Reply reply);

  // A piece of the work. True if there is more to do at once.
  bool step(Instant now);
  bool is_finished() const { return phase_ == Phase::finished; }

 private:
  enum class Phase : u8 { check, load, finished };
  void finish_check();
  void begin_batch(Instant now);
  void send(std::size_t index, Instant now);
  void answered(std::size_t index, const std::optional<ledger::CommandAnswer>& answer);
  void store_places();
  void finish();
  void tell_progress(Instant now);

  static constexpr std::size_t batch_rows = 5'000;
  static constexpr u32 retries_max = 1'000;

  struct Sent {
    NewAccount account;
    u64 line = 0;
    ledger::AccountRef place;
  };

  Context& context_;
  Reconcile& reconcile_;
  Reply reply_;
  std::string path_;
  ImportFile file_;
  std::unique_ptr<ImportCheck> check_;
  Phase phase_ = Phase::check;
  std::vector<Sent> batch_;
  std::vector<std::size_t> to_retry_;  // refused with too_busy: sent again
  Instant retry_at_;
  u32 retries_ = 0;
  u64 unanswered_ = 0;
  std::string refusal_;  // of the ledger: the import ends with this batch
  u64 refused_line_ = 0;
  u64 row_index_ = 0;
  u64 imported_count_ = 0;
  Instant started_at_;
  Instant told_at_;
};

}  // namespace tollgate::control
