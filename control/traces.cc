// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/traces.hh"

#include <fmt/format.h>

#include <algorithm>

#include "control/trace_record.hh"

namespace tollgate::control {
namespace {

constexpr u64 seconds_default = 60;
constexpr u64 seconds_max = 3600;
constexpr u64 messages_default = 1000;
constexpr u64 messages_max = 100'000;
constexpr u32 frames_per_step = 256;  // of one ring

u64 bounded(const Json& args, const char* name, u64 otherwise, u64 most) {
  const u64 value = Arguments(args).number_or(name, otherwise);
  if (value == 0 || value > most) {
    throw Refused(refusal::bad_request, fmt::format("{}: expected 1 to {}", name, most));
  }
  return value;
}

void set_name(const Json& args, const char* key, ledger::TraceWanted& wanted) {
  const std::string name = Arguments(args).text(key);
  if (name.empty() || name.size() > wanted.name.size()) {
    throw Refused(refusal::bad_request,
                  fmt::format("{}: expected 1 to {} octets", key, wanted.name.size()));
  }
  wanted.name_bytes = static_cast<u16>(name.size());
  std::ranges::copy(name, wanted.name.begin());
}

}  // namespace

Traces::Traces(Context& context) : context_(context), table_(context.appliance.trace()) {
  if (table_ == nullptr) return;
  for (const char* word : {"net", "charge"}) {
    for (u32 number = 0;; ++number) {
      LinkMemory* ring = context.appliance.link(fmt::format("{}{}_control", word, number));
      if (ring == nullptr) break;
      rings_.push_back(ring);
      consumers_.emplace_back(ring);
    }
  }
  write_table();  // what a predecessor had armed has nobody to tell
}

void Traces::add_verbs(Verbs& verbs) {
  verbs["trace.account"] = [this](const Json& args, const Reply& reply) {
    watch_account(args, reply);
  };
  verbs["trace.session"] = [this](const Json& args, const Reply& reply) {
    watch_session(args, reply);
  };
  verbs["trace.peer"] = [this](const Json& args, const Reply& reply) { watch_peer(args, reply); };
}

void Traces::watch_account(const Json& args, const Reply& reply) {
  const AccountRow account = find_account(context_.store, Arguments(args).text("who"));
  ledger::TraceWanted wanted{.account = account.place};
  const std::vector<IdentityRow> identities = context_.store.identities(account.id);
  for (std::size_t i = 0; i < std::min(identities.size(), wanted.identities.size()); ++i) {
    wanted.identities[i] = identities[i].key;
  }
  begin(wanted, args, reply);
}

void Traces::watch_session(const Json& args, const Reply& reply) {
  ledger::TraceWanted wanted;
  set_name(args, "session_id", wanted);
  begin(wanted, args, reply);
}

void Traces::watch_peer(const Json& args, const Reply& reply) {
  ledger::TraceWanted wanted{.is_peer = 1};
  set_name(args, "who", wanted);
  begin(wanted, args, reply);
}

void Traces::begin(ledger::TraceWanted wanted, const Json& args, const Reply& reply) {
  if (table_ == nullptr || rings_.empty()) {
    throw Refused(refusal::not_there, "this appliance has no memory for traces");
  }
  const Instant now = context_.clock.now();
  const u64 seconds = bounded(args, "seconds", seconds_default, seconds_max);
  const u64 messages = bounded(args, "messages", messages_default, messages_max);
  wanted.until_ns = (now + Duration::seconds(static_cast<i64>(seconds))).ns;
  for (u32 i = 0; i < watches_.size(); ++i) {
    // Places are given out in turn, so that what is late for one is not told to the next.
    const u32 place = (next_place_ + i) % ledger::traces_max;
    if (watches_[place]) continue;
    next_place_ = (place + 1) % ledger::traces_max;
    watches_[place] = Watch{.wanted = wanted,
                            .reply = reply,
                            .since = now,
                            .messages_left = messages,
                            .full_before = full_count()};
    write_table();
    watches_[place]->version = table_->version();
    return;
  }
  throw Refused(refusal::busy, fmt::format("{} traces are going on already", ledger::traces_max));
}

void Traces::write_table() {
  ledger::TraceTable::Wanted wanted{};
  for (u32 i = 0; i < watches_.size(); ++i) {
    if (watches_[i]) wanted[i] = watches_[i]->wanted;
  }
  table_->write(wanted);
}

// How often a ring was full, all of them together.
u64 Traces::full_count() const {
  u64 sum = 0;
  for (const LinkMemory* ring : rings_) sum += ring->full_count.load(std::memory_order_relaxed);
  return sum;
}

bool Traces::take_frames() {
  bool has_more = false;
  told_.clear();
  for (LinkConsumer& ring : consumers_) {
    Bytes frame;
    u32 taken = 0;
    while (taken < frames_per_step && ring.next(frame)) {
      ++taken;
      ledger::TraceRecord record;
      if (!read_trace(frame, record)) continue;
      told_.push_back({record.at_ns, {frame.begin(), frame.end()}});
    }
    if (taken != 0) ring.release();
    has_more = has_more || taken == frames_per_step;
  }
  // Each ring is in order, and those of net tiles come first: a request before its effects.
  std::ranges::stable_sort(told_, {}, &Told::at_ns);
  return has_more;
}

void Traces::tell(const Told& told) {
  ledger::TraceRecord record;
  if (!read_trace(told.frame, record)) return;
  Json described;
  for (u32 place = 0; place < watches_.size(); ++place) {
    std::optional<Watch>& watch = watches_[place];
    const bool is_wanted = (record.traces >> place & 1) != 0;
    if (!watch || !is_wanted || record.at_ns < watch->since.ns) continue;
    if (described.is_null()) described = describe_trace(told.frame);
    if (described.is_null()) return;
    watch->reply.progress(described);
    if (record.kind == ledger::TraceKind::effects) {
      ++watch->effects;
      continue;
    }
    ++watch->messages;
    if (--watch->messages_left == 0) end(place, "messages");
  }
}

void Traces::tell_armed(Watch& watch) {
  const u32 tiles = std::min(context_.options.net_tile_count, ledger::trace_tiles_max);
  for (u32 tile = 0; tile < tiles; ++tile) {
    if (static_cast<i32>(table_->seen(tile) - watch.version) < 0) return;
  }
  watch.is_armed = true;
  watch.reply.progress(Json{{"armed", true}});
}

void Traces::end(u32 place, std::string_view why) {
  const Watch& watch = *watches_[place];
  watch.reply.ok(Json{{"messages", watch.messages},
                      {"effects", watch.effects},
                      {"dropped", full_count() - watch.full_before},
                      {"ended", why}});
  watches_[place].reset();
  write_table();
}

bool Traces::step(Instant now) {
  if (table_ == nullptr) return false;
  for (std::optional<Watch>& watch : watches_) {
    if (watch && !watch->is_armed) tell_armed(*watch);
  }
  const bool has_more = take_frames();
  for (const Told& told : told_) tell(told);
  for (u32 place = 0; place < watches_.size(); ++place) {
    if (!watches_[place]) continue;
    const bool is_over = now.ns >= watches_[place]->wanted.until_ns;
    if (is_over || !watches_[place]->reply.is_waiting()) end(place, "time");
  }
  return has_more;
}

}  // namespace tollgate::control
