// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/sim/disk.hh"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/check.hh"
#include "ledger/journal_reader.hh"
#include "tests/sim/kill_switch.hh"

namespace tollgate::sim {
namespace {

constexpr u64 sector_bytes = 512;

ledger::GroupHeader header_of(Bytes octets) {
  ledger::GroupHeader header;
  check(octets.size() >= sizeof header, "a group begins with its header");
  std::memcpy(&header, octets.data(), sizeof header);
  return header;
}

}  // namespace

SimDisk::SimDisk(std::string folder, u64 appliance, Random& random) : random_(random) {
  folder_ = {.path = std::move(folder),
             .appliance = appliance,
             .stream_count = 1,
             .segment_bytes = segment_bytes};
}

SimDisk::~SimDisk() {
  for (const auto& [number, segment] : segments_) {
    ::munmap(segment.pages, segment_bytes);
    ::unlink(ledger::segment_path(folder_.path, 0, number).c_str());
  }
}

void SimDisk::make_segments(u64 last) {
  for (u64 number = 1; number <= last && !is_full; ++number) {
    if (!has_segment(number)) make_segment(number);
  }
}

void SimDisk::make_segment(u64 number) {
  const std::string why = ledger::make_segment(folder_, 0, number);
  if (!why.empty()) fail("{}", why);
  const int fd = ::open(ledger::segment_path(folder_.path, 0, number).c_str(), O_RDWR | O_CLOEXEC);
  check(fd >= 0, "a segment that was made can be opened");
  void* pages = ::mmap(nullptr, segment_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  check(pages != MAP_FAILED, "a segment can be mapped");
  segments_[number] = {.pages = static_cast<u8*>(pages)};
  if (is_damaged())
    copy_[number].assign(segments_[number].pages, segments_[number].pages + segment_bytes);
}

void SimDisk::begin(const ledger::StorageWrite& write) {
  const ledger::GroupHeader header = header_of(write.pages);
  const u64 bytes = sizeof header + header.payload_bytes;
  Group& group = groups_[header.sequence];
  const Bytes octets = write.pages.first(bytes);
  if (std::equal(octets.begin(), octets.end(), group.octets.begin(), group.octets.end())) return;
  if (group.is_on_disk) fail("group {} was on disk and is written as another", header.sequence);
  group.segment_number = write.segment_number;
  group.offset = write.offset;
  group.octets.assign(octets.begin(), octets.end());
  const bool is_exact = ledger::for_each_entry(
      octets.subspan(sizeof header), [&](const ledger::EntryHeader& entry, Bytes) {
        if (entry.sequence == 0) return;
        group_of_.try_emplace({entry.shard, entry.sequence}, header.sequence);
      });
  if (!is_exact) fail("the entries do not fill group {}", header.sequence);
}

void SimDisk::put(u64 segment_number, u64 offset, Bytes octets, bool also_in_copy) {
  std::memcpy(segments_.at(segment_number).pages + offset, octets.data(), octets.size());
  if (!also_in_copy || !is_damaged()) return;
  std::memcpy(copy_.at(segment_number).data() + offset, octets.data(), octets.size());
}

// Some of the sectors, in no order: a torn write. Perhaps all of them, perhaps none.
void SimDisk::put_part(const ledger::StorageWrite& write) {
  const u32 kind = random_.below(4);
  const u64 first = random_.below(write.pages.size() / sector_bytes + 1) * sector_bytes;
  for (u64 at = 0; at < write.pages.size(); at += sector_bytes) {
    const bool is_put = kind == 0 || (kind == 1 && at < first) || (kind == 2 && random_.once_in(2));
    if (!is_put) continue;
    put(write.segment_number, write.offset + at, write.pages.subspan(at, sector_bytes), true);
  }
}

void SimDisk::put_astray(const ledger::StorageWrite& write) {
  begin_copy();
  const u64 pages = (segment_bytes - write.pages.size()) / page_bytes;
  u64 segment = write.segment_number;
  u64 offset = write.offset;
  while (segment == write.segment_number && offset == write.offset) {
    segment = 1 + random_.below(segments_.size());
    offset = (1 + random_.below(pages)) * page_bytes;
    if (offset + write.pages.size() > segment_bytes) offset = page_bytes;
  }
  put(segment, offset, write.pages, false);
  std::memcpy(copy_.at(write.segment_number).data() + write.offset, write.pages.data(),
              write.pages.size());
}

void SimDisk::end(const ledger::StorageWrite& write, WriteFate fate) {
  const ledger::GroupHeader header = header_of(write.pages);
  if (fate == WriteFate::failed || fate == WriteFate::unfinished) {
    put_part(write);
  } else if (fate == WriteFate::misdirected) {
    put_astray(write);
  } else {
    put(write.segment_number, write.offset, write.pages, true);
  }
  Group& group = groups_.at(header.sequence);
  const std::vector<u8>* copy = is_damaged() ? &copy_.at(group.segment_number) : nullptr;
  const u8* there = copy != nullptr ? copy->data() : segments_.at(group.segment_number).pages;
  group.is_on_disk =
      std::memcmp(there + group.offset, group.octets.data(), group.octets.size()) == 0;
  advance();
}

void SimDisk::advance() {
  for (auto next = groups_.find(durable_sequence_ + 1);
       next != groups_.end() && next->second.is_on_disk;
       next = groups_.find(durable_sequence_ + 1)) {
    ++durable_sequence_;
  }
}

bool SimDisk::has_durable(const EntryName& entry) const {
  const auto found = group_of_.find(entry);
  return found != group_of_.end() && found->second <= durable_sequence_;
}

void SimDisk::begin_copy() {
  if (is_damaged()) return;
  for (const auto& [number, segment] : segments_) {
    copy_[number].assign(segment.pages, segment.pages + segment_bytes);
  }
}

bool SimDisk::damage() {
  if (durable_sequence_ == 0) return false;
  begin_copy();
  const Group& group = groups_.at(1 + random_.below(durable_sequence_));
  const bool hits_header = random_.once_in(8);
  u8* at = segments_.at(group.segment_number).pages;
  at += hits_header ? random_.below(sizeof(ledger::SegmentHeader))
                    : group.offset + random_.below(group.octets.size());
  *at ^= static_cast<u8>(1u << random_.below(8));
  return true;
}

bool SimDisk::has_proof_of(u64 sequence) const {
  for (const auto& [number, group] : groups_) {
    if (number <= sequence || group.octets.empty()) continue;
    if (header_of(group.octets).durable_sequence < sequence) continue;
    const u8* there = segments_.at(group.segment_number).pages + group.offset;
    if (std::memcmp(there, group.octets.data(), group.octets.size()) == 0) return true;
  }
  return false;
}

void SimDisk::restore() {
  for (const auto& [number, octets] : copy_) {
    std::memcpy(segments_.at(number).pages, octets.data(), octets.size());
  }
  copy_.clear();
}

void SimDisk::cut(u64 next_sequence) {
  groups_.erase(groups_.lower_bound(next_sequence), groups_.end());
  std::erase_if(group_of_, [&](const auto& entry) { return entry.second >= next_sequence; });
  durable_sequence_ = next_sequence - 1;
}

bool SimStorage::open(u64 segment_number) {
  return disk_.has_segment(segment_number);
}

void SimStorage::write(const ledger::StorageWrite& write) {
  const Spared spared;
  disk_.begin(write);
  in_flight_.push_back(write);
}

bool SimStorage::reap(ledger::StorageCompletion& completion) {
  const Spared spared;
  if (finished_.empty()) return false;
  completion = finished_.front();
  finished_.erase(finished_.begin());
  return true;
}

void SimStorage::end(std::size_t which, WriteFate fate) {
  const ledger::StorageWrite write = in_flight_[which];
  in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(which));
  disk_.end(write, fate);
  if (fate == WriteFate::unfinished) return;
  finished_.push_back({.slot = write.slot, .is_durable = fate != WriteFate::failed});
}

void SimStorage::die(Random& random) {
  while (!in_flight_.empty()) {
    end(random.below(in_flight_.size()),
        random.once_in(3) ? WriteFate::done : WriteFate::unfinished);
  }
}

}  // namespace tollgate::sim
