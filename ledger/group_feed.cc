// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/group_feed.hh"

#include <algorithm>
#include <cstring>

#include "base/check.hh"

namespace tollgate::ledger {

GroupFeed::GroupFeed(const JournalFolder& folder, Start start, u32 worker_count)
    : start_(std::move(start)),
      living_(folder.stream_count + worker_count),
      awake_(folder.stream_count + worker_count) {
  check(start_.positions.size() == folder.stream_count, "every stream has a place to start from");
  for (u32 number = 0; number < folder.stream_count; ++number) {
    streams_.push_back(
        std::make_unique<Stream>(folder, number, start_.positions[number], worker_count));
  }
  for (u32 number = 0; number < folder.stream_count; ++number) {
    streams_[number]->thread = std::thread([this, number] { read(number); });
  }
}

GroupFeed::~GroupFeed() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    announce();
  }
  for (const auto& stream : streams_) stream->thread.join();
}

void GroupFeed::read(u32 number) {
  Stream& stream = *streams_[number];
  Group group;
  ReadOutcome outcome = ReadOutcome::group;
  while (outcome == ReadOutcome::group) {
    outcome = stream.reader.next(group);
    if (outcome != ReadOutcome::group) break;
    if (!wait_for_room(stream)) break;
    keep(stream, group);
    const std::lock_guard lock(mutex_);
    ++stream.read_count;
    stream.octets += round_up(sizeof(GroupHeader) + group.header.payload_bytes, page_bytes);
    announce();
  }
  std::string why = outcome == ReadOutcome::failure ? stream.reader.error() : std::string();
  if (outcome == ReadOutcome::end) why = start_.at_end(number, stream.reader);
  if (!why.empty()) fail(std::move(why));
  const std::lock_guard lock(mutex_);
  stream.is_at_end = true;
  --living_;
  announce();
}

// False if all is over before there is any.
bool GroupFeed::wait_for_room(Stream& stream) {
  std::unique_lock lock(mutex_);
  const auto is_full = [&] {
    return stream.read_count - *std::min_element(stream.taken.begin(), stream.taken.end()) ==
           groups_ahead;
  };
  while (!is_over_ && is_full()) {
    if (wait(lock, changes_) != Wait::go_on) return false;
  }
  return !is_over_;
}

// Nobody looks at the place before the count says that it is filled.
void GroupFeed::keep(Stream& stream, const Group& group) {
  Place& place = stream.ring[stream.read_count % groups_ahead];
  if (place.payload == nullptr) {
    place.payload = std::make_unique_for_overwrite<u8[]>(group_bytes_max);
  }
  std::memcpy(place.payload.get(), group.payload.data(), group.payload.size());
  place.group = group;
  place.group.payload = Bytes(place.payload.get(), group.payload.size());
}

GroupFeed::Look GroupFeed::look(u32 worker, u32 number, const Group*& group) {
  const std::lock_guard lock(mutex_);
  Stream& stream = *streams_[number];
  if (is_over_) return Look::ended;
  const u64 taken = stream.taken[worker];
  if (taken == stream.read_count) return stream.is_at_end ? Look::ended : Look::not_yet;
  group = &stream.ring[taken % groups_ahead].group;
  return Look::here;
}

void GroupFeed::done_with(u32 worker, u32 number) {
  const std::lock_guard lock(mutex_);
  ++streams_[number]->taken[worker];
  announce();
}

u64 GroupFeed::changes() {
  const std::lock_guard lock(mutex_);
  return changes_;
}

GroupFeed::Wait GroupFeed::wait_for_change(u64 seen) {
  std::unique_lock lock(mutex_);
  return wait(lock, seen);
}

// Who waits has seen all up to `seen`, and found nothing to do. When the last one comes to that
// point, nothing will ever change.
GroupFeed::Wait GroupFeed::wait(std::unique_lock<std::mutex>& lock, u64 seen) {
  if (changes_ == seen && !is_over_) {
    if (--awake_ == 0) {
      is_over_ = is_stuck_ = true;
      announce();
    }
    changed_.wait(lock, [&] { return changes_ != seen || is_over_; });
  }
  if (!is_over_) return Wait::go_on;
  return is_stuck_ ? Wait::stuck : Wait::over;
}

void GroupFeed::announce() {
  ++changes_;
  awake_ = living_;
  changed_.notify_all();
}

void GroupFeed::leave() {
  const std::lock_guard lock(mutex_);
  --living_;
  announce();
}

void GroupFeed::fail(std::string why) {
  const std::lock_guard lock(mutex_);
  if (why_.empty()) why_ = std::move(why);
  is_over_ = true;
  announce();
}

std::string GroupFeed::why() {
  const std::lock_guard lock(mutex_);
  return why_;
}

u64 GroupFeed::group_count() {
  const std::lock_guard lock(mutex_);
  u64 count = 0;
  for (const auto& stream : streams_) count += stream->read_count;
  return count;
}

u64 GroupFeed::octets() {
  const std::lock_guard lock(mutex_);
  u64 octets = 0;
  for (const auto& stream : streams_) octets += stream->octets;
  return octets;
}

}  // namespace tollgate::ledger
