// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// GroupFeed: the groups of all streams, read and checked ahead of those who replay them.
//
// Each stream has a thread that reads its groups into a ring of some megabytes. Each worker sees
// all groups of all streams, at its own pace; a place in a ring is filled again when the last
// worker has gone on. A worker may stop in a stream at an entry that has to wait for another
// stream, and go on there first: then the rings of both may be full, and everybody waits for
// somebody. A journal that was written by an appliance never does that; one that does is told as
// stuck, and not waited for.
//
// A group is up to 256 KiB, so one lock and one condition for all are no burden.
#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ledger/journal_reader.hh"

namespace tollgate::ledger {

class GroupFeed {
 public:
  struct Start {
    std::vector<JournalPosition> positions;  // one a stream
    // Called on the stream's thread when it has ended: an empty text, or why it may not end there.
    std::function<std::string(u32 stream, JournalReader& reader)> at_end;
  };

  GroupFeed(const JournalFolder& folder, Start start, u32 worker_count);
  ~GroupFeed();  // ends the threads, whatever they do
  GroupFeed(const GroupFeed&) = delete;
  GroupFeed& operator=(const GroupFeed&) = delete;

  enum class Look : u8 {
    here,     // there is one
    not_yet,  // it is still read, or there is no room for it
    ended,    // there is no further one, or all is over
  };
  // The worker's next group of a stream; valid until it says that it is done with it.
  [[nodiscard]] Look look(u32 worker, u32 stream, const Group*& group);
  void done_with(u32 worker, u32 stream);

  // Something happens: every wait begins with the count of what had happened before the looks that
  // found nothing to do.
  [[nodiscard]] u64 changes();
  enum class Wait : u8 { go_on, over, stuck };
  [[nodiscard]] Wait wait_for_change(u64 seen);

  // A worker has nothing left to do in any stream.
  void leave();
  // All is over, for this reason; the first one counts.
  void fail(std::string why);

  // When all workers have ended: the first reason, and where the streams go on.
  std::string why();
  const JournalPosition& position(u32 stream) const { return streams_[stream]->reader.position(); }
  u32 stream_count() const { return static_cast<u32>(streams_.size()); }
  u64 group_count();
  u64 octets();  // of the journal's files

 private:
  static constexpr u64 groups_ahead = 32;

  struct Place {
    std::unique_ptr<u8[]> payload;  // made when it is needed first
    Group group;
  };
  struct Stream {
    Stream(const JournalFolder& folder, u32 number, const JournalPosition& from, u32 workers)
        : reader(folder, number, from), taken(workers, 0) {}
    JournalReader reader;
    std::array<Place, groups_ahead> ring;
    u64 read_count = 0;      // groups that were put into the ring
    u64 octets = 0;          // of these, in the files
    std::vector<u64> taken;  // of these, by each worker
    bool is_at_end = false;
    std::thread thread;
  };

  void read(u32 number);
  bool wait_for_room(Stream& stream);
  static void keep(Stream& stream, const Group& group);
  void announce();  // with the lock
  Wait wait(std::unique_lock<std::mutex>& lock, u64 seen);

  Start start_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::mutex mutex_;
  std::condition_variable changed_;
  u64 changes_ = 0;
  u32 living_;  // threads that have not ended: readers and workers
  u32 awake_;   // of these, those that do not wait for the next change
  bool is_over_ = false;
  bool is_stuck_ = false;
  std::string why_;
};

}  // namespace tollgate::ledger
