// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/vouchers.hh"

#include <fmt/format.h>

#include "control/balances.hh"
#include "control/file.hh"
#include "control/voucher_code.hh"
#include "control/voucher_file.hh"

namespace tollgate::control {
namespace {

Json describe(const VoucherFile& file, const std::string& path) {
  Json all = Json::array();
  for (const ImportMistake& mistake : file.mistakes) {
    all.push_back(Json{{"line", mistake.line},
                       {"column", mistake.column},
                       {"message", mistake.message},
                       {"text", fmt::format("{}:{}:{}: {}", path, mistake.line, mistake.column,
                                            mistake.message)}});
  }
  return Json{{"mistakes", std::move(all)}, {"mistake_count", file.mistakes.size()}};
}

std::string read_file(const std::string& path) {
  try {
    return read_whole(path);
  } catch (const FileError& error) {
    throw Refused(refusal::bad_file, error.what());
  }
}

Json describe(const VoucherRow& voucher) {
  return Json{
      {"batch", voucher.batch},
      {"amount", to_text(voucher.amount, voucher.unit)},
      {"validity", voucher.validity.empty() ? Json(nullptr) : Json(voucher.validity)},
      {"ends", voucher.ends_s == 0 ? Json(nullptr)
                                   : Json(to_rfc3339(Instant::from_seconds(voucher.ends_s)))},
      {"hash", voucher.hash},
      {"state", voucher.command_key == 0 ? "free" : "used"}};
}

}  // namespace

void Vouchers::add_verbs(Verbs& verbs) {
  verbs["voucher.import"] = [this](const Json& args, const Reply& reply) { import(args, reply); };
  verbs["voucher.redeem"] = [this](const Json& args, const Reply& reply) { redeem(args, reply); };
  verbs["voucher.show"] = [this](const Json& args, const Reply& reply) { show(args, reply); };
  verbs["voucher.list"] = [this](const Json&, const Reply& reply) { list(reply); };
}

// All of a file or nothing.
void Vouchers::import(const Json& args, const Reply& reply) {
  const Arguments arguments(args);
  const std::string path = arguments.text("path");
  const std::string batch = arguments.text("batch");
  const std::string why = name_mistake(batch);
  if (!why.empty()) throw Refused(refusal::bad_request, why);
  VoucherFile file = read_vouchers(read_file(path), batch);
  Transaction transaction(context_.store.database());
  for (std::size_t i = 0; i < file.vouchers.size() && file.mistakes.empty(); ++i) {
    if (!context_.store.insert_voucher(file.vouchers[i])) {
      file.mistakes.push_back(
          {.line = file.lines[i], .column = 1, .message = "there is a voucher with this code"});
    }
  }
  if (!file.mistakes.empty()) {
    throw Refused(refusal::bad_file, "nothing was imported", describe(file, path));
  }
  context_.store.note_change("voucher_import", 0,
                             to_line(Json{{"batch", batch}, {"vouchers", file.vouchers.size()}}));
  transaction.commit();
  reply.ok(Json{{"batch", batch}, {"imported", file.vouchers.size()}});
}

VoucherRow Vouchers::find(const Json& args) {
  const std::string hash = hash_of_code(Arguments(args).text("code"));
  if (!hash.empty()) {
    if (auto voucher = context_.store.voucher(hash)) return *voucher;
  }
  throw Refused("voucher_unknown", "there is no voucher with this code");
}

// Who tries codes is told nothing of them for a while, right or wrong. A command that is repeated
// tries nothing: it had its code right before.
VoucherRow Vouchers::find_for(const AccountRow& account, const Json& args) {
  const std::string key = Arguments(args).text_or("key", "");
  if (!key.empty() && context_.store.command_by_client_key(key)) return find(args);
  const Instant now = context_.clock.now();
  const Instant until = misses_.blocked_until(account.id);
  if (now < until) {
    throw Refused("voucher_guessed",
                  fmt::format("{} wrong codes: this account can redeem a voucher from {} on",
                              VoucherMisses::misses_max, to_rfc3339(until)));
  }
  try {
    VoucherRow voucher = find(args);
    misses_.forget(account.id);
    return voucher;
  } catch (const Refused&) {
    misses_.note(account.id, now);
    throw;
  }
}

// Money goes to accounts of its own currency only; who sells a voucher of a unit may insist on it.
void Vouchers::refuse_unfit(const VoucherRow& voucher, const AccountRow& account,
                            const Json& args) const {
  if (voucher.command_key != 0) {
    throw Refused("voucher_used", "this voucher has been redeemed");
  }
  if (voucher.ends_s != 0 && context_.clock.now().whole_seconds() >= voucher.ends_s) {
    throw Refused("voucher_expired",
                  fmt::format("this voucher could be redeemed until {}",
                              to_rfc3339(Instant::from_seconds(voucher.ends_s))));
  }
  const std::string wanted = Arguments(args).text_or("unit", "");
  const bool is_other = !wanted.empty() && unit_from_name(wanted) != voucher.unit;
  const rating::Plan* plan = context_.tariffs.find_plan(account.plan);
  const bool is_foreign =
      is_money(voucher.unit) && plan != nullptr && plan->currency != voucher.unit;
  if (is_other || is_foreign) {
    throw Refused("voucher_wrong_unit",
                  fmt::format("this voucher is worth {}, and that is not what is wanted here",
                              to_text(voucher.amount, voucher.unit)));
  }
}

// The code is in no table and no log: what is kept of the request has the hash in its place.
void Vouchers::redeem(const Json& args, const Reply& reply) {
  const AccountRow account = find_account(context_.store, Arguments(args).text("who"));
  const VoucherRow voucher = find_for(account, args);
  Json kept = args;
  kept.erase("code");
  kept["voucher"] = voucher.hash;
  kept["batch"] = voucher.batch;
  kept["amount"] = to_text(voucher.amount, voucher.unit);
  CommandBook::Order order = make_order("redeem", account, kept);
  // The book has the answer to a key that was used before.
  const bool is_repeated =
      !order.client_key.empty() && context_.store.command_by_client_key(order.client_key);
  if (!is_repeated) refuse_unfit(voucher, account, args);
  order.command.kind = ledger::CommandKind::top_up;
  ledger::NewBucket& bucket = order.command.buckets[0];
  bucket = {.amount = voucher.amount, .unit = voucher.unit};
  if (!voucher.validity.empty()) {
    const Instant end = context_.clock.now() + parse_period(voucher.validity);
    bucket.expires_s = static_cast<ledger::Second>(end.whole_seconds());
  }
  order.command.bucket_count = 1;
  if (const rating::Plan* plan = context_.tariffs.find_plan(account.plan)) {
    add_bonuses(context_.tariffs.image(), *plan, context_.clock.now(), order.command);
  }
  const auto told = [account, voucher, reply](const Json& answer) {
    const std::string outcome = answer.value("outcome", "");
    if (outcome != "ok") return refuse_command(outcome, reply);
    Json result{{"account", account.name}, {"amount", to_text(voucher.amount, voucher.unit)}};
    result.update(answer);
    reply.ok(std::move(result));
  };
  book_.carry_out(std::move(order), told,
                  [this, hash = voucher.hash](u64 key) { context_.store.take_voucher(hash, key); });
}

void Vouchers::show(const Json& args, const Reply& reply) {
  reply.ok(describe(find(args)));
}

void Vouchers::list(const Reply& reply) {
  Json all = Json::array();
  for (const VoucherBatch& batch : context_.store.voucher_batches()) {
    all.push_back(
        Json{{"batch", batch.name}, {"vouchers", batch.count}, {"redeemed", batch.redeemed}});
  }
  reply.ok(Json{{"batches", std::move(all)}});
}

}  // namespace tollgate::control
