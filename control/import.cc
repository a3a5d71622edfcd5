// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/import.hh"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "control/file.hh"

namespace tollgate::control {
namespace {

Json describe_mistakes(const ImportFile& file, const std::string& path) {
  Json all = Json::array();
  for (const ImportMistake& mistake : file.mistakes()) {
    all.push_back(Json{{"line", mistake.line},
                       {"column", mistake.column},
                       {"message", mistake.message},
                       {"text", fmt::format("{}:{}:{}: {}", path, mistake.line, mistake.column,
                                            mistake.message)}});
  }
  return Json{{"mistakes", std::move(all)}, {"mistake_count", file.mistake_count()}};
}

std::string read_import(const std::string& path) {
  try {
    return read_whole(path);
  } catch (const FileError& error) {
    throw Refused(refusal::bad_file, error.what());
  }
}

}  // namespace

Import::Import(Context& context, Reconcile& reconcile, const std::string& path, Reply reply)
    : context_(context),
      reconcile_(reconcile),
      reply_(std::move(reply)),
      path_(path),
      file_(read_import(path)),
      started_at_(context.clock.now()),
      told_at_(started_at_) {
  check_ = std::make_unique<ImportCheck>(file_, context.tariffs, context.store);
}

bool Import::step(Instant now) {
  if (now - told_at_ > Duration::milliseconds(250)) tell_progress(now);
  switch (phase_) {
    case Phase::check:
      if (!file_.has_columns() || !check_->step()) finish_check();
      return true;
    case Phase::load:
      break;
    case Phase::finished:
      return false;
  }
  if (unanswered_ == 0 && to_retry_.empty()) {
    store_places();
    if (refusal_.empty()) begin_batch(now);
    if (unanswered_ == 0 && to_retry_.empty()) finish();
    return true;
  }
  if (to_retry_.empty() || now < retry_at_) return false;
  const std::vector<std::size_t> again = std::move(to_retry_);
  to_retry_.clear();
  for (const std::size_t index : again) send(index, now);
  return true;
}

void Import::finish_check() {
  if (file_.mistake_count() != 0) {
    reply_.refuse(refusal::bad_file,
                  fmt::format("{} mistakes, nothing was imported", file_.mistake_count()),
                  describe_mistakes(file_, path_));
    phase_ = Phase::finished;
    return;
  }
  file_.rewind();
  phase_ = Phase::load;
}

// Stores the pending rows of the next batch and sends their commands.
void Import::begin_batch(Instant now) {
  batch_.clear();
  ImportRow row;
  while (batch_.size() < batch_rows && file_.next(row) == ImportFile::Next::row) {
    if (check_->is_there_already(row_index_++)) continue;
    batch_.push_back({prepare_account(context_.tariffs, now, to_order(row)), row.line, {}});
  }
  if (batch_.empty()) return;
  Transaction transaction(context_.store.database());
  u64 id = context_.store.take_account_ids(batch_.size());
  for (Sent& sent : batch_) {
    set_account_id(sent.account, id++);
    context_.store.insert_pending(sent.account.row, sent.account.identities);
  }
  transaction.commit();
  for (std::size_t index = 0; index < batch_.size(); ++index) send(index, now);
}

void Import::send(std::size_t index, Instant now) {
  ++unanswered_;
  context_.channel.submit(batch_[index].account.command, now,
                          [this, index](const auto& answer) { answered(index, answer); });
}

void Import::answered(std::size_t index, const std::optional<ledger::CommandAnswer>& answer) {
  --unanswered_;
  Sent& sent = batch_[index];
  if (!answer) {
    reconcile_.add(sent.account.row);
    sent.account.row.id = 0;  // neither active nor erased here
    refusal_ = refusal::no_answer;
    return;
  }
  if (answer->outcome == ledger::Outcome::too_busy && retries_ < retries_max && refusal_.empty()) {
    if (to_retry_.empty()) {
      ++retries_;
      retry_at_ = context_.clock.now() + Duration::milliseconds(10);
    }
    to_retry_.push_back(index);
    return;
  }
  if (answer->outcome != ledger::Outcome::ok) {
    if (refusal_.empty()) {
      refusal_ = to_text(answer->outcome);
      refused_line_ = sent.line;
    }
    return;
  }
  retries_ = 0;
  sent.place = answer->account;
  if (!index_account(context_.appliance.index(), sent.account.identities, sent.place) &&
      refusal_.empty()) {
    refusal_ = to_text(ledger::Outcome::too_busy);
    refused_line_ = sent.line;
  }
}

void Import::store_places() {
  if (batch_.empty()) return;
  Transaction transaction(context_.store.database());
  for (const Sent& sent : batch_) {
    const AccountRow& row = sent.account.row;
    if (row.id == 0) continue;
    if (sent.place.is_none()) {
      context_.store.erase_pending(row.id);
      continue;
    }
    context_.store.set_active(row.id, sent.place);
    context_.store.note_change("add", row.id, R"({"import":true})");
    ++imported_count_;
  }
  transaction.commit();
  batch_.clear();
}

void Import::finish() {
  phase_ = Phase::finished;
  const Duration took = context_.clock.now() - started_at_;
  Json told{{"imported", imported_count_},
            {"there_already", check_->there_already_count()},
            {"seconds", static_cast<double>(took.whole_milliseconds()) / 1000}};
  spdlog::info("import of {}: {}", path_, to_line(told));
  if (refusal_.empty()) return reply_.ok(std::move(told));
  const std::string where =
      refused_line_ != 0 ? fmt::format(" at line {}", refused_line_) : std::string();
  reply_.refuse(refusal_,
                fmt::format("the import stopped{}: {} accounts were imported; when the cause is "
                            "gone, repeat it, and what is there already is passed over",
                            where, imported_count_),
                told);
}

void Import::tell_progress(Instant now) {
  told_at_ = now;
  const bool is_checking = phase_ == Phase::check;
  reply_.progress(Json{{"phase", is_checking ? "check" : "load"},
                       {"lines", file_.line_count()},
                       {"done_bytes", file_.position_bytes()},
                       {"total_bytes", file_.total_bytes()},
                       {"imported", imported_count_}});
}

}  // namespace tollgate::control
