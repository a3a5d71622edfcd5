// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/history.hh"

#include <algorithm>

#include "control/command_name.hh"

namespace tollgate::control {
namespace {

std::string_view request_name(u8 type) {
  constexpr std::string_view names[] = {"unknown", "INITIAL", "UPDATE", "TERMINATION", "EVENT"};
  return type < std::size(names) ? names[type] : names[0];
}

std::string_view bucket_kind(ledger::BucketState state) {
  switch (state) {
    case ledger::BucketState::in_transit:
      return "in_transit";
    case ledger::BucketState::received:
      return "received";
    case ledger::BucketState::limit:
      return "limit";
    case ledger::BucketState::free:
    case ledger::BucketState::open:
    case ledger::BucketState::expired:
      break;
  }
  return "balance";
}

Json describe(const BucketContent& content, Unit unit) {
  return Json{{"balance", to_decimal(content.balance, unit)},
              {"reserved", to_decimal(content.reserved, unit)},
              {"consumed", to_decimal(content.consumed, unit)},
              {"put_in", to_decimal(content.put_in, unit)}};
}

Json describe(const BucketChange& change) {
  Json told{{"bucket", change.bucket},
            {"unit", unit_name(change.unit)},
            {"kind", bucket_kind(change.state)},
            {"before", nullptr}};
  if (change.is_before_known) told["before"] = describe(change.before, change.unit);
  told["after"] = describe(change.after, change.unit);
  return told;
}

}  // namespace

void History::add_verbs(Verbs& verbs) {
  verbs["account.history"] = [this](const Json& args, const Reply& reply) { begin(args, reply); };
}

void History::begin(const Json& args, const Reply& reply) {
  const Arguments arguments(args);
  const AccountRow account = find_account(context_.store, arguments.text("who"));
  const u64 limit = std::min(arguments.number_or("limit", limit_default), limit_max);
  if (limit == 0) throw Refused(refusal::bad_request, "a limit is at least 1");
  if (searches_.size() >= searches_max) {
    throw Refused(refusal::busy, "other histories are being looked for: try again in a moment");
  }
  std::vector<u64> durable;
  for (const ledger::JournalMemory* stream : context_.appliance.journal_streams()) {
    durable.push_back(stream->durable_sequence.load(std::memory_order_acquire));
  }
  const HistorySearch::Wanted wanted{
      .account_id = account.id, .place = account.place, .limit = limit};
  searches_.push_back({.account = account,
                       .limit = limit,
                       .search = std::make_unique<HistorySearch>(
                           journal_, context_.appliance.ledger(), wanted, std::move(durable)),
                       .reply = reply});
}

bool History::step() {
  if (searches_.empty()) return false;
  Search& first = searches_.front();
  try {
    if (first.search->step()) return true;
    if (first.search->error().empty()) {
      first.reply.ok(describe(first));
    } else {
      first.reply.refuse(refusal::internal, "the journal could not be read, or was moving on: " +
                                                first.search->error() + "; try again");
    }
  } catch (const std::exception& error) {
    first.reply.refuse(refusal::internal, error.what());
  }
  searches_.pop_front();
  return !searches_.empty();
}

Json History::describe(const Search& search) {
  const HistorySearch& found = *search.search;
  Json events = Json::array();
  for (const HistoryEvent& event : found.events()) {
    events.push_back(describe(event, search.account.place.shard()));
  }
  Json told{{"account", search.account.name},
            {"account_id", search.account.id},
            {"complete", found.is_complete()},
            {"events", std::move(events)},
            {"earlier", Json::array()}};
  if (found.events().size() >= search.limit) return told;
  // Commands from before the journal's oldest segment.
  const u64 left = search.limit - found.events().size();
  for (const ChangeRow& row :
       context_.store.changes_before(search.account.id, found.oldest(), left)) {
    told["earlier"].insert(
        told["earlier"].begin(),
        Json{{"time", to_rfc3339(row.at)},
             {"kind", row.kind},
             {"key", row.client_key.empty() ? Json(nullptr) : Json(row.client_key)},
             {"detail", parse_json(row.detail).value_or(Json::object())}});
  }
  if (found.oldest() == Instant::never()) told["earlier"] = Json::array();
  return told;
}

Json History::describe(const HistoryEvent& event, u32 shard) {
  Json told{{"time", to_rfc3339(event.at)}};
  if (event.kind == ledger::EntryKind::command) {
    told["command"] = describe_command(event);
  } else {
    const bool is_timer = event.kind == ledger::EntryKind::timer;
    Json request{{"session_id", event.session_id.empty() ? Json(nullptr) : Json(event.session_id)},
                 {"type", is_timer ? "TIMER" : request_name(event.request_type)}};
    if (!is_timer) {
      request["number"] = event.request_number;
      request["outcome"] = to_text(event.outcome);
    }
    told["request"] = std::move(request);
  }
  Json changes = Json::array();
  for (const BucketChange& change : event.changes) {
    // The mark of a transfer is no amount.
    if (change.state == ledger::BucketState::received) continue;
    changes.push_back(control::describe(change));
  }
  told["changes"] = std::move(changes);
  told["cdr"] = nullptr;
  if (event.cdr_sequence != 0) {
    told["cdr"] = Json{{"shard", shard}, {"sequence", event.cdr_sequence}};
  }
  told["journal"] = Json{{"shard", shard}, {"sequence", event.sequence}};
  return told;
}

// What the command was is in the journal; why, and with which key, is in the database.
Json History::describe_command(const HistoryEvent& event) {
  Json told{{"kind", command_name(event.command)}, {"key", nullptr}, {"detail", nullptr}};
  if (event.command_key == 0) return told;
  std::string detail;
  std::string key;
  if (const auto change = context_.store.change_by_command(event.command_key)) {
    detail = change->detail;
    key = change->client_key;
  }
  if (!key.empty()) told["key"] = key;
  if (!detail.empty()) {
    told["detail"] = parse_json(detail).value_or(Json::object());
    if (told["detail"].contains("reason")) told["reason"] = told["detail"]["reason"];
  }
  return told;
}

}  // namespace tollgate::control
