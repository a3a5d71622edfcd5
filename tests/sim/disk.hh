// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// SimDisk and SimStorage: the disk behind the journal, with everything that disks do.
//
// SimStorage is what a journal tile writes through; its writes end when the simulation says so, in
// any order, and as the simulation says. It dies with its tile; what was in flight then may be on
// disk, or not, or torn. SimDisk is what outlives them: segment files, mapped into memory, which
// recovery reads with the real reader, and a list of what is really on them.
//
// A write that goes astray or a flipped bit damages the files, and from then on SimDisk keeps a
// copy of them without the damage: the replica from which an operator would restore.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ledger/journal_segments.hh"
#include "ledger/journal_storage.hh"
#include "tests/sim/random.hh"

namespace tollgate::sim {

// What can happen to a write.
enum class WriteFate : u8 {
  done,         // on disk, and told so
  failed,       // told as failed; a part of it may be on disk
  unfinished,   // a part of it may be on disk, and nobody is told: its tile died
  misdirected,  // told as done, and written to another place
};

class SimDisk {
 public:
  static constexpr u64 segment_bytes = 72 * page_bytes;  // a group of any size, and little more

  SimDisk(std::string folder, u64 appliance, Random& random);
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  const ledger::JournalFolder& folder() const { return folder_; }

  // Makes segments up to `last`, unless the disk is full.
  void make_segments(u64 last);
  bool has_segment(u64 number) const { return segments_.contains(number); }
  u64 segment_count() const { return segments_.size(); }

  // A group was given to the disk: remembers what is in it.
  void begin(const ledger::StorageWrite& write);
  void end(const ledger::StorageWrite& write, WriteFate fate);

  // Is the entry of that shard and sequence on disk, and all groups before its own?
  struct EntryName {
    u32 shard;
    u64 sequence;
    friend auto operator<=>(const EntryName&, const EntryName&) = default;
  };
  bool has_durable(const EntryName& entry) const;
  // All groups up to here are on disk (where they belong, or in the copy).
  u64 durable_sequence() const { return durable_sequence_; }

  // Flips a bit of a group that is on disk, or of a segment's header. False if there is none.
  bool damage();
  bool is_damaged() const { return !copy_.empty(); }
  // Would the damaged files prove by themselves that the group of that sequence had been there?
  bool has_proof_of(u64 sequence) const;
  // Puts the copy in place of the damaged files.
  void restore();

  // After recovery the stream goes on at `next_sequence`: what lies behind it never was.
  void cut(u64 next_sequence);

  bool is_full = false;

 private:
  struct Segment {
    u8* pages = nullptr;  // the file
  };
  struct Group {
    u64 segment_number = 0;
    u64 offset = 0;
    std::vector<u8> octets;  // header and entries, without the padding
    bool is_on_disk = false;
  };
  void make_segment(u64 number);
  void put(u64 segment_number, u64 offset, Bytes octets, bool also_in_copy);
  void put_part(const ledger::StorageWrite& write);
  void put_astray(const ledger::StorageWrite& write);
  void begin_copy();
  void advance();

  ledger::JournalFolder folder_;
  Random& random_;
  std::map<u64, Segment> segments_;
  std::map<u64, std::vector<u8>> copy_;  // of all segments, once there is damage
  std::map<u64, Group> groups_;          // by sequence
  std::map<EntryName, u64> group_of_;    // entries, by the sequence of their group
  u64 durable_sequence_ = 0;
};

class SimStorage final : public ledger::JournalStorage {
 public:
  explicit SimStorage(SimDisk& disk) : disk_(disk) {}

  [[nodiscard]] bool open(u64 segment_number) override;
  void close(u64) override {}
  void write(const ledger::StorageWrite& write) override;
  [[nodiscard]] bool reap(ledger::StorageCompletion& completion) override;

  std::size_t in_flight() const { return in_flight_.size(); }
  void end(std::size_t which, WriteFate fate);
  // Its tile died.
  void die(Random& random);

 private:
  SimDisk& disk_;
  std::vector<ledger::StorageWrite> in_flight_;
  std::vector<ledger::StorageCompletion> finished_;
};

}  // namespace tollgate::sim
