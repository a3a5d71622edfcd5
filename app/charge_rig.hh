// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// ChargeRig: a charge tile and a journal tile with real links, in ordinary memory, for tests.
//
// What the journal tile writes goes into vectors, and from there into a second ledger. `fault`
// compares the two byte for byte and audits the first, so a test can ask after every step whether
// money is conserved and whether a restart would find the same.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "app/charge_tile.hh"
#include "app/journal_tile.hh"
#include "ledger/command.hh"
#include "ledger/journal_storage.hh"

namespace tollgate::app {

// Zeroed memory on a page boundary.
class PageMemory {
 public:
  PageMemory() = default;
  explicit PageMemory(u64 bytes);
  u8* data() const { return memory_.get(); }

 private:
  struct Free {
    void operator()(u8* memory) const;
  };
  std::unique_ptr<u8[], Free> memory_;
};

// A disk that never forgets, and that can be full.
class MemoryStorage final : public ledger::JournalStorage {
 public:
  bool open(u64) override { return !is_full; }
  void close(u64) override {}
  void write(const ledger::StorageWrite& write) override;
  bool reap(ledger::StorageCompletion& completion) override;

  bool is_full = false;
  std::vector<std::vector<u8>> groups;

 private:
  std::deque<u32> finished_;
};

// The charging data of one session's end, as the journal has it.
struct ChargingNote {
  ledger::ChargingData data;
  std::vector<ledger::ChargingService> services;
  std::string session_id;
};

class ChargeRig {
 public:
  static constexpr ledger::LedgerSizes small{
      .accounts = 16, .buckets = 160, .sessions = 48, .extensions = 512};

  explicit ChargeRig(const ledger::LedgerSizes& sizes = small, const ChargePolicy& policy = {});

  // A file or folder of tariffs, or a tariff's text. Throws on a mistake in it.
  void load_tariff(const std::string& path);
  // With the functions of a Python file "f.py", if it names some.
  void load_tariff_text(const std::string& text, const std::string& functions = {});
  void load_rules(const std::string& text);  // of normalising, behind the tariff in force

  // Puts a frame onto the link. `turn` lets the tiles work until all is answered.
  void send(Bytes request);
  using OnAnswer = std::function<void(u64 tag, const AnswerFrame& answer)>;
  void turn(const OnAnswer& on_answer);
  // The same, but the answers stay on their link: a net tile takes them, and fills the other one.
  // From then on nothing else here touches them.
  void work();
  LinkMemory* net_charge() const;
  LinkMemory* journal_net() const;
  LinkMemory* charge_net() const;
  LinkMemory* charge_control() const;  // effects on who is watched
  // Who is watched.
  ledger::TraceTable& trace_table() {
    return *reinterpret_cast<ledger::TraceTable*>(trace_table_.data());
  }
  const VersionedBlob* tariff() const;
  // Both, for one request.
  AnswerFrame ask(Bytes request);
  ledger::CommandAnswer command(ledger::Command command);

  // Time passes, timers run.
  void wait(Duration time);
  void housekeep();
  void set_journal_full(bool is_full);
  // The tiles die, and the ledger is made anew from the journal alone.
  void restart();

  // What is not as it must be: audit, conservation, or the replayed ledger. Empty: all is well.
  std::string fault();

  Instant now = Instant::from_seconds(1'795'000'000);
  ledger::LedgerMemory memory() const { return ledger::LedgerMemory(ledger_.data()); }
  const rating::Image& image() const { return image_; }
  const ChargeCounters& counters() const { return counters_; }
  // What the journal tile wrote, group by group.
  const std::vector<std::vector<u8>>& groups() const { return storage_.groups; }
  const std::vector<ChargingNote>& notes() const { return notes_; }
  // Thresholds that were crossed since this was called last, as the journal has them.
  std::vector<ledger::ThresholdNote> take_crossings() { return std::exchange(crossings_, {}); }
  ledger::Shard shard(u32 number) const { return ledger::Shard(memory(), number); }

 private:
  bool poll_tiles();
  bool is_idle() const;
  void make_tiles();
  void take_groups();
  void take_group(Bytes pages);
  void note(Bytes entry, const ledger::EntryHeader& header);
  void poll_answers(const OnAnswer& on_answer);

  ledger::LedgerSizes sizes_;
  ChargePolicy policy_;
  PageMemory ledger_;
  PageMemory replica_;
  PageMemory undo_;
  PageMemory journal_;
  PageMemory tariff_;
  PageMemory trace_table_{sizeof(ledger::TraceTable)};
  std::vector<PageMemory> links_;
  MemoryStorage storage_;
  u64 tsc_ = 0;
  u64 groups_taken_ = 0;
  bool has_net_tile_ = false;
  ledger::JournalCounters journal_counters_{};
  ChargeCounters counters_{};
  std::unique_ptr<ChargeTile> charge_;
  std::unique_ptr<JournalTile> journal_tile_;
  LinkProducer to_charge_;
  LinkProducer to_charge_commands_;
  LinkConsumer from_net_;
  LinkConsumer from_control_;
  rating::Image image_;
  std::vector<ChargingNote> notes_;
  std::vector<ledger::ThresholdNote> crossings_;
  std::vector<ledger::CommandAnswer> command_answers_;
  std::string replay_fault_;
};

}  // namespace tollgate::app
