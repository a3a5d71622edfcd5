// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/trace_effects.hh"

namespace tollgate::app {
namespace {

using ledger::TraceBucket;
using ledger::TraceRecord;

TraceBucket::Figures figures_of(const ledger::Bucket& bucket) {
  return {.put_in = bucket.put_in,
          .balance = bucket.balance,
          .reserved = bucket.reserved,
          .consumed = bucket.consumed};
}

}  // namespace

EffectTrace::EffectTrace(LinkMemory* link, const ledger::TraceTable* table, u64& dropped)
    : dropped_(dropped), has_link_(link != nullptr), armed_(link == nullptr ? nullptr : table) {
  if (has_link_) link_ = LinkProducer(link);
}

u32 EffectTrace::account_of(const ledger::Shard& shard, ChargeRequestView request) {
  const u32 session = shard.find_session(request.head().session_hash, request.session_id());
  const u32 account =
      session != 0 ? shard.session(session).account : request.head().account.index();
  return shard.is_account(account) ? account : 0;
}

// A command names an account, or a session of one.
u32 EffectTrace::account_of(const ledger::Shard& shard, const ledger::Command& command) {
  const std::string_view session_id(command.session_id.data(), command.session_id_bytes);
  u32 account = command.account.index();
  if (!session_id.empty()) {
    const u32 session = shard.find_session(ledger::Shard::session_hash(session_id), session_id);
    account = session != 0 ? shard.session(session).account : 0;
  }
  return shard.is_account(account) ? account : 0;
}

u8 EffectTrace::watchers(const ledger::Shard& shard, const ledger::Command& command) const {
  if (armed_.is_none()) [[likely]]
    return 0;
  const u32 account = account_of(shard, command);
  if (account == 0) return 0;
  return armed_.match(ledger::AccountRef::make(shard.number(), account),
                      {command.session_id.data(), command.session_id_bytes});
}

u8 EffectTrace::watchers(const ledger::Shard& shard, u32 session) const {
  if (armed_.is_none()) [[likely]]
    return 0;
  return armed_.match(ledger::AccountRef::make(shard.number(), shard.session(session).account),
                      shard.session(session).session_id_text());
}

void EffectTrace::before(const ledger::Shard& shard, u32 account) {
  bucket_count_ = 0;
  if (account == 0) return;
  for (u32 at = shard.account(account).first_bucket; at != 0 && bucket_count_ < buckets_.size();
       at = shard.bucket(at).next) {
    buckets_[bucket_count_++] = {.bucket = at, .before = figures_of(shard.bucket(at))};
  }
}

const TraceBucket::Figures* EffectTrace::find_before(u32 bucket) const {
  for (u32 i = 0; i < bucket_count_; ++i) {
    if (buckets_[i].bucket == bucket) return &buckets_[i].before;
  }
  return nullptr;
}

void EffectTrace::after(const ledger::Shard& shard, u32 account, ledger::Outcome outcome,
                        const Mark& mark) {
  ledger::Answer answer;
  answer.outcome = outcome;
  after(shard, account, Bytes(reinterpret_cast<const u8*>(&answer), sizeof answer), mark);
}

void EffectTrace::after(const ledger::Shard& shard, u32 account, Bytes told, const Mark& mark) {
  if (!has_link_) return;
  moved_count_ = 0;
  u32 seen = 0;
  for (u32 at = account != 0 ? shard.account(account).first_bucket : 0;
       at != 0 && seen < moved_.size(); at = shard.bucket(at).next, ++seen) {
    const ledger::Bucket& bucket = shard.bucket(at);
    const TraceBucket::Figures* known = find_before(at);
    TraceBucket moved{.bucket = at, .unit = bucket.unit, .after = figures_of(bucket)};
    if (known != nullptr) moved.before = *known;
    if (moved.before != moved.after) moved_[moved_count_++] = moved;
  }
  const u64 bucket_bytes = u64{moved_count_} * sizeof(TraceBucket);
  const u64 bytes = sizeof(TraceRecord) + sizeof(ledger::TraceEffects) + told.size() + bucket_bytes;
  const MutableBytes room = link_.reserve(bytes);
  if (room.empty()) {
    ++dropped_;
    return;
  }
  const TraceRecord record{.at_ns = mark.at.ns,
                           .tag = mark.tag,
                           .kind = ledger::TraceKind::effects,
                           .traces = mark.traces,
                           .cause = mark.cause,
                           .command = mark.command};
  const ledger::TraceEffects effects{.account_id = account != 0 ? shard.account(account).id : 0,
                                     .answer_bytes = static_cast<u32>(told.size()),
                                     .bucket_count = moved_count_};
  u8* at = room.data();
  const auto put = [&at](const void* from, u64 count) {
    std::memcpy(at, from, count);
    at += count;
  };
  put(&record, sizeof record);
  put(&effects, sizeof effects);
  put(told.data(), told.size());
  put(moved_.data(), bucket_bytes);
  link_.commit(bytes);
  has_told_ = true;
}

void EffectTrace::publish() {
  if (!has_told_) return;
  link_.publish();
  has_told_ = false;
}

}  // namespace tollgate::app
