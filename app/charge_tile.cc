// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/charge_tile.hh"

#include "base/check.hh"
#include "rating/functions.hh"

namespace tollgate::app {
namespace {

using ledger::Operation;
using ledger::Shard;

// What the entry of a request is at most: the session and the head of its charging data, four words
// of every bucket that the account may have (what was used is taken wherever it is); and for each
// service its quota and its parts of the answer. A TERMINATION lets go of all quotas of its
// session, whichever of them it speaks of, and tells of them; where they share a pool, any request
// may take of all of them.
constexpr u64 crossings_bytes = 8 + sizeof(ledger::ThresholdNote) * ledger::Crossings::count_max;
constexpr u64 entry_bytes_base = 1024 + crossings_bytes + 2 * 32 * ledger::buckets_per_account_max;
constexpr u64 entry_bytes_per_service = 420;
constexpr u64 entry_bytes_of_end = 200 * ledger::quotas_per_session_max;
static_assert(entry_bytes_base + entry_bytes_per_service * ledger::services_per_request_max <=
                  ledger::entry_bytes_max,
              "the largest request has an entry");

u64 entry_bytes_bound(const ChargeRequest& request) {
  const bool touches_all = request.kind == RequestKind::termination ||
                           request.kind == RequestKind::session_answer ||
                           (request.habits & habit::knows_pools) != 0;
  const u64 bytes = entry_bytes_base + (touches_all ? entry_bytes_of_end : 0) +
                    entry_bytes_per_service * (u64{request.service_count} + request.after_count);
  return bytes < ledger::entry_bytes_max ? bytes : ledger::entry_bytes_max;
}

// Of a command: an account with all its buckets; one that ends a session as much as any request.
u64 entry_bytes_bound(const ledger::Command& command) {
  if (command.kind == ledger::CommandKind::drop_session) return ledger::entry_bytes_max;
  return 1024 + crossings_bytes + 2 * sizeof(ledger::Bucket) * ledger::buckets_per_account_max;
}

constexpr u64 timer_entry_bytes = ledger::entry_bytes_max;

constexpr u32 wheel_visits_max = 16;     // sessions looked at in one housekeeping of a shard
constexpr u32 forget_visits_max = 64;    // closed ones forgotten; some end with each request
constexpr u32 sweep_visits_max = 512;    // sessions looked at for restarted clients, likewise
constexpr u32 shards_per_housekeep = 8;  // the wheel of each shard is turned every 8 ms or so

}  // namespace

ChargeTile::ChargeTile(const ChargeTileOptions& options, const ledger::LedgerMemory& memory,
                       Instant now, ChargeCounters& counters)
    : options_(options),
      memory_(memory),
      counters_(counters),
      journal_(options.journal_link),
      burst_(*options.undo, memory_.base(), journal_),
      charger_(options_.policy, counters, &tariff_),
      orders_(options.order_links),
      commander_(charger_, orders_, counters),
      tariff_(*options.tariff),
      trace_(options.trace_link, options.trace_table, counters.drop_trace_full) {
  for (u32 number = 0; number < ledger::shard_count; ++number) {
    shards_.push_back(owns(number) ? std::make_unique<Shard>(memory_, number) : nullptr);
  }
  if (options.undo->is_open != 0) {
    // What is derived is not undone. Marked first: should this be killed as well, the next one
    // knows.
    for (const auto& owned : shards_) {
      if (owned == nullptr) continue;
      if ((options.undo->shard_mask >> owned->number() & 1) != 0) owned->demand_rebuild();
    }
    // Counted before and after: a snapshot that saw anything of the burst, or of its undoing, is
    // thrown away.
    memory_.header().rollback_count.fetch_add(1);
    (void)ledger::Burst::recover(*options.undo, memory_.base(), *options.journal_link,
                                 options.control_link);
    memory_.header().rollback_count.fetch_add(1);
  }
  for (const auto& owned : shards_) {
    if (owned != nullptr && owned->needs_rebuild()) owned->rebuild(now);
  }
  control_ = LinkConsumer(options.control_link);  // where recovery left it
  for (LinkMemory* link : options.net_links) nets_.emplace_back(link);
}

Shard& ChargeTile::shard(u32 number) {
  check(number < ledger::shard_count, "a request names a shard that exists");
  check(owns(number), "a request comes to the tile that owns its shard");
  return *shards_[number];
}

u32 ChargeTile::poll(const Turn& turn) {
  if (tariff_.refresh() || !has_polled_) [[unlikely]] {
    rating::run_price_programs(options_.tariff_mapping);  // of this thread
    has_polled_ = true;
  }
  if (!tariff_.is_loaded()) return poll_commands(turn);
  const u32 work = poll_requests(turn);
  return work + poll_commands(turn);
}

// Takes as many requests as the journal has room for.
u32 ChargeTile::take_burst(LinkConsumer& link) {
  u64 entry_bytes = 0;
  Bytes frame;
  item_count_ = 0;
  while (item_count_ < burst_max) {
    const u64 before = link.position();
    if (!link.next(frame)) break;
    const ChargeRequestView request(frame);
    entry_bytes += entry_bytes_bound(request.head());
    if (!burst_.has_room(entry_bytes)) {
      link.rewind(before);
      break;
    }
    Shard& owner = shard(request.head().shard);
    owner.prefetch_slot(request.head().session_hash);
    if (!request.head().account.is_none()) {
      owner.prefetch_account(request.head().account.index());
    }
    items_[item_count_++] = {.request = request, .shard = &owner, .session = 0, .bucket = 0};
  }
  return item_count_;
}

void ChargeTile::fetch_sessions() {
  for (u32 i = 0; i < item_count_; ++i) {
    Item& item = items_[i];
    const ChargeRequest& head = item.request.head();
    item.session = item.shard->find_by_hash(head.session_hash);
    if (item.session != 0) item.shard->prefetch_session(item.session, head.session_id_bytes);
    const u32 account = head.account.index();
    if (!item.shard->is_account(account)) continue;
    const ledger::Account& payer = item.shard->account(account);
    item.shard->prefetch_bucket(payer.first_bucket);
    if (payer.bucket_count > 1) item.bucket = payer.first_bucket;
  }
}

// Further buckets of those that have several: a step of each chain, then the next of each.
void ChargeTile::fetch_next_buckets() {
  for (u32 i = 0; i < item_count_; ++i) {
    Item& item = items_[i];
    if (item.bucket == 0) [[likely]]
      continue;
    item.bucket = item.shard->bucket(item.bucket).next;
    item.shard->prefetch_bucket(item.bucket);
  }
}

void ChargeTile::fetch_buckets() {
  for (u32 i = 0; i < item_count_; ++i) {
    const Item& item = items_[i];
    if (item.session == 0) continue;
    item.shard->prefetch_answer_place(item.session);
    const ledger::Session& session = item.shard->session(item.session);
    if (session.quota.hold_count != 0) item.shard->prefetch_bucket(session.quota.hold_bucket[0]);
    tariff_.image().prefetch_service(item.shard->account(session.account).plan,
                                     session.service_context);
  }
}

// One burst of one link. Returns how many requests it had.
u32 ChargeTile::charge_burst(LinkConsumer& link, const Turn& turn) {
  burst_.begin();
  if (take_burst(link) == 0) {
    burst_.commit();
    return 0;
  }
  const bool may_move = journal_has_room();
  fetch_sessions();
  fetch_buckets();
  for (u32 step = 1; step < buckets_fetched; ++step) fetch_next_buckets();
  for (u32 i = 0; i < item_count_; ++i) {
    const Item& item = items_[i];
    const ChargeRequest& head = item.request.head();
    if (head.kind == client_restarted) [[unlikely]] {
      if (!sweep_.add(head.origin_host, Instant{head.received_ns})) ++counters_.sweeps_dropped;
      continue;
    }
    if (head.kind == RequestKind::session_answer) [[unlikely]] {
      if (may_move) on_order_answer(item, turn);
      continue;
    }
    Operation op(burst_, item.shard->number(), item.shard->header(), turn.now);
    op.watch(options_.policy.thresholds);
    if (head.traces != 0) [[unlikely]] {
      charge_watched(item, op, may_move);
      counters_.thresholds_crossed += op.crossings().number();
      continue;
    }
    charger_.charge(*item.shard, op, tariff_.image(), item.request, may_move);
    counters_.thresholds_crossed += op.crossings().number();
  }
  burst_.commit();
  link.release();
  trace_.publish();
  ++counters_.bursts;
  return item_count_;
}

void ChargeTile::charge_watched(const Item& item, Operation& op, bool may_move) {
  // A session's account is that of its first request, so it is the same afterwards.
  const u32 account = EffectTrace::account_of(*item.shard, item.request);
  const ChargeRequest& head = item.request.head();
  trace_.before(*item.shard, account);
  charger_.charge(*item.shard, op, tariff_.image(), item.request, may_move);
  trace_.after(*item.shard, account, charger_.answer().octets(),
               {.tag = head.tag, .traces = head.traces, .at = op.now()});
}

// What a client said to a RAR or an ASR. A crossing UPDATE needs nothing: it is one like any other.
void ChargeTile::on_order_answer(const Item& item, const Turn& turn) {
  constexpr u32 success = 2001;
  constexpr u32 limited_success = 2002;
  constexpr u32 unknown_session = 5002;
  const SessionOrder order = read_order_answer(item.request);
  const u32 result = item.request.head().number;
  if (result == order_result::no_way && orders_.send(order)) return;
  const bool is_taken = result == success || result == limited_success;
  ++(is_taken                         ? counters_.orders_taken
     : result == unknown_session      ? counters_.orders_unknown
     : result == order_result::silent ? counters_.orders_silent
     : result == order_result::no_way ? counters_.orders_without_way
                                      : counters_.orders_refused);
  Shard& owner = *item.shard;
  const u32 session = owner.find_session(order.session_hash, order.session_id_text());
  if (session == 0 || owner.session(session).state != ledger::SessionState::open) return;
  if (result != unknown_session && order.kind != OrderKind::abort) return;
  Operation op(burst_, owner.number(), owner.header(), turn.now);
  if (result != unknown_session) return charger_.hasten(owner, op, session);
  const u8 traces = trace_.watchers(owner, session);
  const u32 account = owner.session(session).account;
  if (traces != 0) trace_.before(owner, account);
  charger_.forget(owner, op, tariff_.image(), session);
  if (traces == 0) return;
  trace_.after(owner, account, ledger::Outcome::session_unknown,
               {.traces = traces, .cause = ledger::TraceCause::unknown_session, .at = turn.now});
}

u32 ChargeTile::poll_requests(const Turn& turn) {
  u32 work = 0;
  for (LinkConsumer& link : nets_) {
    for (u32 i = 0; i < bursts_per_poll_max; ++i) {
      const u32 charged = charge_burst(link, turn);
      work += charged;
      // A burst may be short because its entries might be large: then there is more to take.
      if (charged == 0 || link.is_drained()) break;
    }
  }
  return work;
}

u32 ChargeTile::poll_commands(const Turn& turn) {
  Bytes frame;
  u32 work = 0;
  u64 before = control_.position();
  if (!control_.next(frame)) return 0;
  control_.rewind(before);
  burst_.begin();
  while (work < burst_max) {
    before = control_.position();
    if (!control_.next(frame)) break;
    check(frame.size() == sizeof(ledger::Command), "control writes whole commands");
    const auto& command = *reinterpret_cast<const ledger::Command*>(frame.data());
    if (!burst_.has_room(entry_bytes_bound(command))) {
      control_.rewind(before);
      break;
    }
    Shard& owner = shard(command.shard);
    Operation op(burst_, owner.number(), owner.header(), turn.now);
    op.watch(options_.policy.thresholds);
    carry_out(owner, op, command);
    counters_.thresholds_crossed += op.crossings().number();
    ++counters_.commands;
    ++work;
  }
  burst_.commit(&control_);
  trace_.publish();
  return work;
}

void ChargeTile::carry_out(Shard& owner, Operation& op, const ledger::Command& command) {
  const u8 traces = trace_.watchers(owner, command);
  const u32 account = traces != 0 ? EffectTrace::account_of(owner, command) : 0;
  if (traces != 0) trace_.before(owner, account);
  commander_.carry_out(owner, op, tariff_.image(), command, journal_has_room());
  if (traces == 0) return;
  trace_.after(owner, account, commander_.outcome(),
               {.traces = traces,
                .cause = ledger::TraceCause::command,
                .command = command.kind,
                .at = op.now()});
}

void ChargeTile::housekeep(const Turn& turn) {
  trace_.refresh(turn.now);
  if (!tariff_.is_loaded()) return;
  turn_wheels(turn);
  if (!sweep_.is_idle() && journal_has_room()) sweep(turn);
}

void ChargeTile::turn_wheels(const Turn& turn) {
  for (u32 i = 0; i < shards_per_housekeep; ++i) {
    next_shard_ = (next_shard_ + 1) % ledger::shard_count;
    if (!owns(next_shard_)) continue;
    Shard& owner = *shards_[next_shard_];
    owner.forget_closed(turn.now, forget_visits_max);
    if (!journal_has_room()) continue;
    owner.turn_wheel(turn.now, wheel_visits_max, [&](u32 session) {
      if (!end_session(owner, session, ledger::TraceCause::timer, turn.now)) {
        owner.postpone(session, turn.now + Duration::seconds(1));
      }
    });
  }
}

// Ends a session that its client has forgotten, in a burst of its own: rare, and its entry may be
// large. False if there is no room now.
bool ChargeTile::end_session(Shard& owner, u32 session, ledger::TraceCause cause, Instant now) {
  burst_.begin();
  if (!burst_.has_room(timer_entry_bytes)) {
    burst_.commit();
    return false;
  }
  const u8 traces = trace_.watchers(owner, session);
  const u32 account = owner.session(session).account;
  if (traces != 0) trace_.before(owner, account);
  Operation op(burst_, owner.number(), owner.header(), now);
  charger_.expire(owner, op, tariff_.image(), session);
  if (traces != 0) {
    trace_.after(owner, account, ledger::Outcome::ok,
                 {.traces = traces, .cause = cause, .at = now});
  }
  burst_.commit();
  trace_.publish();
  return true;
}

void ChargeTile::sweep(const Turn& turn) {
  for (u32 i = 0; i < ledger::shard_count && !owns(sweep_.shard()); ++i) sweep_.next_shard();
  if (!owns(sweep_.shard())) return;
  Shard& owner = *shards_[sweep_.shard()];
  const u32 sessions_end = owner.header().sessions.used_end;
  sweep_.step(
      sessions_end, sweep_visits_max,
      [&](u32 session) -> const ledger::Session& { return owner.session(session); },
      [&](u32 session) {
        if (owner.session(session).state != ledger::SessionState::open) return;
        // Without room it is left to its timer.
        if (!end_session(owner, session, ledger::TraceCause::restart, turn.now)) {
          ++counters_.sweeps_dropped;
        }
      });
}

bool ChargeTile::is_idle() const {
  for (const LinkConsumer& net : nets_) {
    if (!net.is_drained()) return false;
  }
  return control_.is_drained();
}

}  // namespace tollgate::app
