// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/charge_rig.hh"

#include <fmt/format.h>

#include <cstdlib>
#include <stdexcept>

#include "app/avp_names.hh"
#include "base/check.hh"
#include "ledger/audit.hh"
#include "ledger/journal_reader.hh"
#include "ledger/patcher.hh"
#include "ledger/recovery.hh"
#include "rating/compile.hh"
#include "rating/normalise_compile.hh"

namespace tollgate::app {
namespace {

constexpr u64 tariff_bytes_max = 4_MiB;
constexpr u64 link_bytes = 2_MiB;
enum LinkNumber : u32 {
  net_charge_link,
  control_charge_link,
  charge_journal_link,
  journal_net_link,
  journal_control_link,
  charge_net_link,
  charge_control_link,
};
constexpr u32 link_count = 7;

// True if the journaled words of two records are the same; `derived` words in front do not count.
template <class Record>
bool same(const Record& a, const Record& b, u64 derived_words) {
  const auto* left = reinterpret_cast<const u8*>(&a) + derived_words * 8;
  const auto* right = reinterpret_cast<const u8*>(&b) + derived_words * 8;
  return std::memcmp(left, right, sizeof(Record) - derived_words * 8) == 0;
}

std::string compare_shard(const ledger::ShardMemory& a, const ledger::ShardMemory& b, u32 number) {
  if (a.header->sequence != b.header->sequence) {
    return fmt::format("shard {}: entry {} was made, entry {} is in the journal", number,
                       a.header->sequence, b.header->sequence);
  }
  for (u32 i = 1; i < a.header->accounts.used_end; ++i) {
    if (!same(a.accounts[i], b.accounts[i], 1)) return fmt::format("account {} differs", i);
  }
  for (u32 i = 1; i < a.header->buckets.used_end; ++i) {
    if (!same(a.buckets[i], b.buckets[i], 1)) return fmt::format("bucket {} differs", i);
  }
  for (u32 i = 1; i < a.header->sessions.used_end; ++i) {
    // A forgotten session is not journaled as such.
    if (a.sessions[i].state == ledger::SessionState::free) continue;
    if (!same(a.sessions[i], b.sessions[i], 2)) return fmt::format("session {} differs", i);
  }
  for (u32 i = 1; i < a.header->extensions.used_end; ++i) {
    if (!same(a.extensions[i], b.extensions[i], 1)) return fmt::format("extension {} differs", i);
  }
  return {};
}

// What is held in the buckets is what the open sessions hold, and each extension has one owner.
std::string check_holds(const ledger::ShardMemory& shard, u32 number) {
  const ledger::ShardHeader& header = *shard.header;
  std::vector<i64> held(header.buckets.used_end + 1);
  std::vector<u32> owner(header.extensions.used_end + 1);
  std::vector<u32> sessions_of(header.accounts.used_end + 1);
  std::string why;
  u32 owned = 0;
  const auto own = [&](u32 extension, u32 session) {
    if (extension >= owner.size() || owner[extension] != 0) {
      why = fmt::format("shard {}: extension {} belongs to sessions {} and {}", number, extension,
                        extension < owner.size() ? owner[extension] : 0, session);
      return false;
    }
    owner[extension] = session;
    ++owned;
    return true;
  };
  // What is held of a payer is held of the member's limit as well.
  const auto add_hold = [&](u32 account, u32 bucket, i64 amount) {
    held[bucket] += amount;
    if (shard.buckets[bucket].account == account) return;
    for (u32 at = shard.accounts[account].first_bucket; at != 0; at = shard.buckets[at].next) {
      const bool is_limit = shard.buckets[at].state == ledger::BucketState::limit;
      if (is_limit && shard.buckets[at].unit == shard.buckets[bucket].unit) held[at] += amount;
    }
  };
  const auto add_holds = [&](u32 account, const ledger::Quota& quota) {
    for (u32 k = 0; k < quota.hold_count; ++k) {
      add_hold(account, quota.hold_bucket[k], quota.hold_amount[k].count);
    }
  };
  for (u32 i = 1; i < header.sessions.used_end; ++i) {
    const ledger::Session& session = shard.sessions[i];
    if (session.state == ledger::SessionState::free) continue;
    if (session.state == ledger::SessionState::open) ++sessions_of[session.account];
    if (session.quota_count != 0) add_holds(session.account, session.quota);
    for (u32 at = session.first_extension; at != 0; at = shard.extensions[at].quota.next) {
      if (!own(at, i)) return why;
      add_holds(session.account, shard.extensions[at].quota);
    }
    for (const ledger::Answer& answer : session.answers) {
      for (u32 at = answer.next; at != 0; at = shard.extensions[at].services.next) {
        if (!own(at, i)) return why;
      }
    }
  }
  for (u32 i = 1; i < header.buckets.used_end; ++i) {
    const ledger::Bucket& bucket = shard.buckets[i];
    if (bucket.state == ledger::BucketState::free || bucket.reserved.count == held[i]) continue;
    return fmt::format("shard {} bucket {}: {} held, but the sessions hold {}", number, i,
                       bucket.reserved.count, held[i]);
  }
  for (u32 i = 1; i < header.accounts.used_end; ++i) {
    const ledger::Account& account = shard.accounts[i];
    if (account.state == ledger::AccountState::free) continue;
    if (account.open_sessions == sessions_of[i]) continue;
    return fmt::format("shard {} account {}: counts {} open sessions, has {}", number, i,
                       account.open_sessions, sessions_of[i]);
  }
  if (owned == header.extensions.used_count) return {};
  return fmt::format("shard {}: {} extensions in use, {} belong to a session", number,
                     header.extensions.used_count, owned);
}

}  // namespace

void PageMemory::Free::operator()(u8* memory) const {
  std::free(memory);
}

PageMemory::PageMemory(u64 bytes)
    : memory_(static_cast<u8*>(std::aligned_alloc(page_bytes, round_up(bytes, page_bytes)))) {
  std::memset(memory_.get(), 0, round_up(bytes, page_bytes));
}

void MemoryStorage::write(const ledger::StorageWrite& write) {
  groups.emplace_back(write.pages.begin(), write.pages.end());
  finished_.push_back(write.slot);
}

bool MemoryStorage::reap(ledger::StorageCompletion& completion) {
  if (finished_.empty()) return false;
  completion = {.slot = finished_.front(), .is_durable = true};
  finished_.pop_front();
  return true;
}

ChargeRig::ChargeRig(const ledger::LedgerSizes& sizes, const ChargePolicy& policy)
    : sizes_(sizes),
      policy_(policy),
      ledger_(ledger::LedgerMemory::footprint(sizes)),
      replica_(ledger::LedgerMemory::footprint(sizes)),
      tariff_(VersionedBlob::footprint(tariff_bytes_max)) {
  ledger::LedgerMemory::format(ledger_.data(), sizes, 1);
  ledger::LedgerMemory::format(replica_.data(), sizes, 1);
  VersionedBlob::format(tariff_.data(), tariff_bytes_max);
  make_tiles();
}

void ChargeRig::make_tiles() {
  charge_.reset();
  journal_tile_.reset();
  links_.clear();
  std::vector<LinkMemory*> link;
  for (u32 i = 0; i < link_count; ++i) {
    links_.emplace_back(LinkMemory::footprint(link_bytes));
    link.push_back(LinkMemory::format(links_.back().data(), link_bytes));
  }
  undo_ = PageMemory(sizeof(ledger::UndoMemory));
  journal_ = PageMemory(sizeof(ledger::JournalMemory));
  auto* journal = ledger::JournalMemory::format(
      journal_.data(), {.appliance = 1, .stream = 0, .segment_bytes = 1_GiB, .position = {}});
  charge_ = std::make_unique<ChargeTile>(
      ChargeTileOptions{.policy = policy_,
                        .net_links = {link[net_charge_link]},
                        .control_link = link[control_charge_link],
                        .journal_link = link[charge_journal_link],
                        .order_links = {link[charge_net_link]},
                        .trace_link = link[charge_control_link],
                        .trace_table = &trace_table(),
                        .tariff = reinterpret_cast<VersionedBlob*>(tariff_.data()),
                        .journal = journal,
                        .undo = reinterpret_cast<ledger::UndoMemory*>(undo_.data())},
      memory(), now, counters_);
  journal_tile_ =
      std::make_unique<JournalTile>(JournalTileOptions{.charge_links = {link[charge_journal_link]},
                                                       .net_links = {link[journal_net_link]},
                                                       .control_link = link[journal_control_link]},
                                    *journal, storage_, journal_counters_);
  to_charge_ = LinkProducer(link[net_charge_link]);
  to_charge_commands_ = LinkProducer(link[control_charge_link]);
  from_net_ = LinkConsumer(link[journal_net_link]);
  from_control_ = LinkConsumer(link[journal_control_link]);
}

void ChargeRig::load_tariff(const std::string& path) {
  const rating::Compiled compiled = rating::compile_path(path);
  if (!compiled.is_good()) throw std::runtime_error(rating::to_text(compiled.diagnostics[0]));
  auto* blob = reinterpret_cast<VersionedBlob*>(tariff_.data());
  image_ = rating::Image(blob->read(blob->publish(compiled.image)));
}

void ChargeRig::load_tariff_text(const std::string& text, const std::string& functions) {
  const std::array files = {rating::TariffText{.name = "test.tariff", .text = text},
                            rating::TariffText{.name = "f.py", .text = functions}};
  const rating::Compiled compiled = rating::compile(files);
  if (!compiled.is_good()) throw std::runtime_error(rating::to_text(compiled.diagnostics[0]));
  auto* blob = reinterpret_cast<VersionedBlob*>(tariff_.data());
  image_ = rating::Image(blob->read(blob->publish(compiled.image)));
}

// Publishes the tariff again, with these rules behind it.
void ChargeRig::load_rules(const std::string& text) {
  const rating::TariffText file{.name = "test.normalise", .text = text};
  const DictionaryNames names;
  const rating::NormaliseCompiled compiled = rating::compile_normalise({{&file, 1}, {}, names});
  if (!compiled.is_good()) throw std::runtime_error(rating::to_text(compiled.diagnostics[0]));
  auto* blob = reinterpret_cast<VersionedBlob*>(tariff_.data());
  const Bytes tariff = rating::tariff_part(blob->read(blob->current_version()));
  image_ = rating::Image(blob->read(blob->publish(rating::make_bundle(tariff, compiled.image))));
}

void ChargeRig::send(Bytes request) {
  const MutableBytes room = to_charge_.reserve(request.size());
  check(!room.empty(), "a test sends less than a link holds between two turns");
  std::memcpy(room.data(), request.data(), request.size());
  to_charge_.commit(request.size());
  to_charge_.publish();
}

// A write of the journal, a sealing group's as well, is done when the disk has done it.
bool ChargeRig::is_idle() const {
  return charge_->is_idle() && journal_tile_->is_idle();
}

void ChargeRig::turn(const OnAnswer& on_answer) {
  constexpr u32 polls_max = 10'000'000;
  u32 polls = 0;
  for (u32 idle = 0; idle < 3; ++idle) {
    if (poll_tiles() || !is_idle()) idle = 0;
    poll_answers(on_answer);
    check(++polls < polls_max, "the tiles finish what they were given");
  }
  take_groups();
}

void ChargeRig::work() {
  has_net_tile_ = true;
  for (u32 idle = 0; idle < 3; ++idle) {
    if (poll_tiles()) idle = 0;
  }
  take_groups();
}

bool ChargeRig::poll_tiles() {
  const Turn at{.tsc = ++tsc_, .now = now};
  return charge_->poll(at) + journal_tile_->poll(at) != 0;
}

LinkMemory* ChargeRig::net_charge() const {
  return reinterpret_cast<LinkMemory*>(links_[net_charge_link].data());
}
LinkMemory* ChargeRig::charge_control() const {
  return reinterpret_cast<LinkMemory*>(links_[charge_control_link].data());
}

LinkMemory* ChargeRig::charge_net() const {
  return reinterpret_cast<LinkMemory*>(links_[charge_net_link].data());
}
LinkMemory* ChargeRig::journal_net() const {
  return reinterpret_cast<LinkMemory*>(links_[journal_net_link].data());
}
const VersionedBlob* ChargeRig::tariff() const {
  return reinterpret_cast<const VersionedBlob*>(tariff_.data());
}

void ChargeRig::poll_answers(const OnAnswer& on_answer) {
  Bytes frame;
  while (!has_net_tile_ && from_net_.next(frame)) {
    ledger::AnswerTag tag;
    std::memcpy(&tag, frame.data(), sizeof tag);
    AnswerFrame answer;
    std::memcpy(static_cast<void*>(&answer), frame.data() + sizeof tag, frame.size() - sizeof tag);
    on_answer(tag.own(), answer);
  }
  from_net_.release();
  while (from_control_.next(frame)) {
    ledger::CommandAnswer answer;
    check(frame.size() == sizeof(ledger::AnswerTag) + sizeof answer, "a command answer is whole");
    std::memcpy(&answer, frame.data() + sizeof(ledger::AnswerTag), sizeof answer);
    command_answers_.push_back(answer);
  }
  from_control_.release();
}

AnswerFrame ChargeRig::ask(Bytes request) {
  AnswerFrame got;
  u32 count = 0;
  send(request);
  turn([&](u64, const AnswerFrame& answer) {
    got = answer;
    ++count;
  });
  check(count == 1, "one request has one answer");
  return got;
}

ledger::CommandAnswer ChargeRig::command(ledger::Command command) {
  command.tag = ledger::AnswerTag::control(1);
  const MutableBytes room = to_charge_commands_.reserve(sizeof command);
  std::memcpy(room.data(), &command, sizeof command);
  to_charge_commands_.commit(sizeof command);
  to_charge_commands_.publish();
  command_answers_.clear();
  turn([](u64, const AnswerFrame&) { check(false, "nobody asked"); });
  check(command_answers_.size() == 1, "one command has one answer");
  return command_answers_[0];
}

void ChargeRig::wait(Duration time) {
  now = now + time;
  housekeep();
}

void ChargeRig::housekeep() {
  const auto settle = [this] {
    turn([](u64, const AnswerFrame&) { check(false, "nobody asked"); });
  };
  // Each housekeeping looks at some of the shards.
  for (u32 i = 0; i < 2 * ledger::shard_count; ++i) {
    charge_->housekeep({.tsc = 0, .now = now});
    settle();
  }
  journal_tile_->housekeep({.tsc = 0, .now = now});
  settle();  // a sealing group is on its way to the disk
}

void ChargeRig::set_journal_full(bool is_full) {
  storage_.is_full = is_full;
  journal_tile_->housekeep({.tsc = 0, .now = now});
}

void ChargeRig::restart() {
  charge_.reset();
  // The replica is what the journal tells; now it becomes the ledger, and gets a replica anew.
  std::swap(ledger_, replica_);
  PageMemory index_memory(ledger::IdentityIndex::footprint(1024));
  auto index = ledger::IdentityIndex::format(index_memory.data(), 1024);
  ledger::RecoveryReport report;
  const std::string why = ledger::rebuild_derived(memory(), index, now, report);
  if (!why.empty()) replay_fault_ = why;
  replica_ = PageMemory(ledger::LedgerMemory::footprint(sizes_));
  ledger::LedgerMemory::format(replica_.data(), sizes_, 1);
  notes_.clear();
  crossings_.clear();
  groups_taken_ = 0;
  take_groups();
  make_tiles();
}

void ChargeRig::take_groups() {
  for (; groups_taken_ < storage_.groups.size(); ++groups_taken_) {
    take_group(storage_.groups[groups_taken_]);
  }
}

void ChargeRig::take_group(Bytes pages) {
  ledger::GroupHeader group;
  std::memcpy(&group, pages.data(), sizeof group);
  const Bytes payload = pages.subspan(sizeof group, group.payload_bytes);
  const bool is_exact =
      ledger::for_each_entry(payload, [&](const ledger::EntryHeader& header, Bytes entry) {
        const std::string why =
            ledger::Patcher(ledger::LedgerMemory(replica_.data())).apply(header, entry);
        if (!why.empty() && replay_fault_.empty()) replay_fault_ = why;
        note(entry, header);
      });
  if (!is_exact) replay_fault_ = "a group is not filled by its entries";
}

void ChargeRig::note(Bytes entry, const ledger::EntryHeader& header) {
  const bool is_exact =
      ledger::for_each_part(header, entry, [&](const ledger::PartHeader& part, Bytes words) {
        if (part.pool != ledger::Pool::note) return;
        if (part.index == static_cast<u32>(ledger::NoteKind::threshold)) {
          const std::size_t count = words.size() / sizeof(ledger::ThresholdNote);
          const std::size_t old = crossings_.size();
          crossings_.resize(old + count);
          std::memcpy(&crossings_[old], words.data(), count * sizeof(ledger::ThresholdNote));
        }
        if (part.index != static_cast<u32>(ledger::NoteKind::charging_data)) return;
        ChargingNote& found = notes_.emplace_back();
        std::memcpy(&found.data, words.data(), sizeof found.data);
        const u8* at = words.data() + sizeof found.data;
        for (u32 i = 0; i < found.data.service_count; ++i, at += sizeof(ledger::ChargingService)) {
          std::memcpy(&found.services.emplace_back(), at, sizeof(ledger::ChargingService));
        }
        found.session_id.assign(reinterpret_cast<const char*>(at), found.data.session_id_bytes);
      });
  if (!is_exact) replay_fault_ = "an entry is not filled by its parts";
}

std::string ChargeRig::fault() {
  if (!replay_fault_.empty()) return replay_fault_;
  const ledger::AuditReport report = ledger::audit(ledger::LedgerView(memory()), now);
  if (!report.is_clean) return "audit: " + report.findings[0];
  for (u32 number = 0; number < ledger::shard_count; ++number) {
    const ledger::ShardMemory shard = memory().shard(number);
    const ledger::ShardMemory replayed = ledger::LedgerMemory(replica_.data()).shard(number);
    std::string why = compare_shard(shard, replayed, number);
    if (why.empty()) why = check_holds(shard, number);
    if (!why.empty()) return why;
  }
  return {};
}

}  // namespace tollgate::app
