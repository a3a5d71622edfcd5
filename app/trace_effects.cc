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

EffectTrace::EffectTrace(LinkMemory* link, u64& dropped)
    : dropped_(dropped), has_link_(link != nullptr) {
  if (has_link_) link_ = LinkProducer(link);
}

// As the Charger finds it: a session's own, else the one that the request was sent to.
u32 EffectTrace::account_of(const ledger::Shard& shard, ChargeRequestView request) {
  const u32 session = shard.find_session(request.head().session_hash, request.session_id());
  const u32 account =
      session != 0 ? shard.session(session).account : request.head().account.index();
  return shard.is_account(account) ? account : 0;
}

void EffectTrace::before(const ledger::Shard& shard, ChargeRequestView request) {
  bucket_count_ = 0;
  const u32 account = account_of(shard, request);
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

void EffectTrace::after(const ledger::Shard& shard, ChargeRequestView request,
                        const AnswerFrame& answer, Instant now) {
  if (!has_link_) return;
  const u32 account = account_of(shard, request);
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
  const Bytes told = answer.octets();
  const u64 bucket_bytes = u64{moved_count_} * sizeof(TraceBucket);
  const u64 bytes = sizeof(TraceRecord) + sizeof(ledger::TraceEffects) + told.size() + bucket_bytes;
  const MutableBytes room = link_.reserve(bytes);
  if (room.empty()) {
    ++dropped_;
    return;
  }
  const TraceRecord record{.at_ns = now.ns,
                           .tag = request.head().tag,
                           .kind = ledger::TraceKind::effects,
                           .traces = request.head().traces};
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
