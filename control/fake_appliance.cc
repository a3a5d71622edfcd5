// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/fake_appliance.hh"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/counters.hh"
#include "base/versioned_blob.hh"
#include "control/appliance.hh"
#include "ledger/balance.hh"

namespace tollgate::control {
namespace {

constexpr CounterName net_counters[] = {{"ccr_received", "requests"},
                                        {"cca_sent", "answers"},
                                        {"result_2001", "answers that say success"},
                                        {"drop_bad_length", "frames"}};

constexpr const char* tariff_text = R"(language 1
plan prepaid {
  currency EUR
  service data {
    default group 10
    rule "internet" group 10 {
      price 0.01EUR per 100KiB
      round up
      grant 10MiB max 100MiB
    }
  }
}
plan pack {
  currency EUR
  allowance 1GiB priority 10 expires 30d
  service data {
    default group 10
    rule "internet" group 10 {
      pay with octets then EUR
      price 0.02EUR per 1MiB
      grant 10MiB
    }
  }
}
)";

std::string make_folder(const char* pattern) {
  std::string path = pattern;
  check(mkdtemp(path.data()) != nullptr, "a folder for the test");
  return path;
}

void make_segment(Segment& segment, const std::string& folder, const std::string& name, u64 bytes,
                  u32 layout) {
  const std::string why =
      segment.create({.folder = folder, .name = "fake." + name, .bytes = bytes, .layout = layout});
  check(why.empty(), "a segment for the test");
}

bool answers_on(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  check(path.size() < sizeof address.sun_path, "the test's socket has a short path");
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool answers =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return answers;
}

}  // namespace

FakeAppliance::FakeAppliance(u64 accounts_max)
    : folder_(make_folder("/tmp/tollgate-control-XXXXXX")),
      memory_folder_(make_folder("/dev/shm/tollgate-control-XXXXXX")) {
  const auto sizes = ledger::LedgerSizes::share_of(
      {.accounts_max = accounts_max, .buckets_max = 2 * accounts_max, .sessions_max = 10'000});
  make_segment(ledger_, memory_folder_, "ledger", ledger::LedgerMemory::footprint(sizes),
               ledger::ledger_layout);
  memory_ = ledger::LedgerMemory::format(ledger_.data(), sizes, 1);
  make_segment(index_, memory_folder_, "index", ledger::IdentityIndex::footprint(5 * accounts_max),
               ledger::identity_index_layout);
  ledger::IdentityIndex::format(index_.data(), 5 * accounts_max);
  make_segment(tariff_, memory_folder_, "tariff", VersionedBlob::footprint(1_MiB),
               VersionedBlob::layout);
  VersionedBlob::format(tariff_.data(), 1_MiB);
  const std::vector<LinkSpec> links = {{"control_charge0", 1_MiB, "commands"},
                                       {"journal0_control", 1_MiB, "answers"},
                                       {"charge0_journal0", 64_KiB, "entries"}};
  make_segment(links_, memory_folder_, "links", link_table_footprint(links), link_table_layout);
  format_link_table(links_, links);
  const std::vector<CounterBlockSpec> blocks = {{"net0", net_counters}, {"net1", net_counters}};
  make_segment(counters_, memory_folder_, "counters", counters_footprint(blocks), counters_layout);
  format_counters(counters_, blocks);
  make_segment(groups_, memory_folder_, "journal0", sizeof(ledger::JournalMemory),
               ledger::journal_memory_layout);
  groups_.at<ledger::JournalMemory>(0)->durable_sequence = UINT64_MAX;
  for (Segment* segment : {&ledger_, &index_, &tariff_, &links_, &counters_, &groups_}) {
    segment->seal();
  }
  journal_ = std::make_unique<FakeJournal>(folder_ + "/journal", 1);
  std::ofstream(folder_ + "/test.tariff") << tariff_text;
  tile_ = std::thread([this] { serve(); });
}

FakeAppliance::~FakeAppliance() {
  is_ending_ = true;
  tile_.join();
  std::filesystem::remove_all(folder_);
  std::filesystem::remove_all(memory_folder_);
}

ControlOptions FakeAppliance::options() const {
  return {.appliance_name = "fake",
          .instance = "fake",
          .memory_folder = memory_folder_,
          .state_folder = folder_ + "/state",
          .journal_folder = folder_ + "/journal",
          .cdr_folder = folder_ + "/cdr",
          .socket_path = folder_ + "/control.sock",
          .tariff_paths = {folder_ + "/test.tariff"}};
}

void FakeAppliance::serve() {
  LinkConsumer commands(find_link(links_, "control_charge0"));
  LinkProducer answers(find_link(links_, "journal0_control"));
  while (!is_ending_) {
    Bytes frame;
    if (is_stopped || !commands.next(frame)) {
      ::usleep(200);
      continue;
    }
    ledger::Command command;
    check(frame.size() == sizeof command, "a frame is a command");
    std::memcpy(static_cast<void*>(&command), frame.data(), sizeof command);
    const ledger::CommandKind stops = stops_before;
    if (stops != ledger::CommandKind::none && command.kind == stops) {
      while (!is_ending_ && stops_before == stops) ::usleep(200);
      if (is_ending_) return;
    }
    carry_out(command, answers);
    commands.release();
    ++taken_count;
  }
}

void FakeAppliance::carry_out(const ledger::Command& command, LinkProducer& answers) {
  ledger::CommandAnswer answer;
  answer.kind = command.kind;
  answer.outcome = outcome.load();
  answer.account = command.account;
  answer.account_id = command.account_id;
  if (answer.outcome == ledger::Outcome::ok) {
    if (command.kind == ledger::CommandKind::create_account) create(command, answer);
    if (command.kind == ledger::CommandKind::top_up) top_up(command, answer);
    if (command.kind == ledger::CommandKind::product_turn) begin_turn(command, answer);
    if (command.kind == ledger::CommandKind::transfer) send(command, answer);
    if (command.kind == ledger::CommandKind::transfer_receive) receive(command, answer);
    const bool is_end = command.kind > ledger::CommandKind::transfer_receive &&
                        command.kind <= ledger::CommandKind::transfer_forget;
    if (is_end) end_transfer(command, answer);
    if (command.kind == ledger::CommandKind::remove_account) {
      memory_.shard(command.shard).accounts[command.account.index()].state =
          ledger::AccountState::free;
    }
    // Creating many is slow with a sync each, and nobody looks for it in this journal.
    const bool is_done = answer.outcome == ledger::Outcome::ok;
    if (is_done && command.kind != ledger::CommandKind::create_account) {
      journal_->write_group(0, {journal_->command_entry(command, answer)});
    }
  }
  if (is_mute) return;
  struct {
    ledger::AnswerFrameHead head;
    ledger::CommandAnswer answer;
  } const whole{{command.tag}, answer};
  MutableBytes room;
  while ((room = answers.reserve(sizeof whole)).empty() && !is_ending_) ::usleep(100);
  if (room.empty()) return;
  std::memcpy(room.data(), &whole, sizeof whole);
  answers.commit(sizeof whole);
  answers.publish();
}

void FakeAppliance::create(const ledger::Command& command, ledger::CommandAnswer& answer) {
  const ledger::ShardMemory shard = memory_.shard(command.shard);
  const u32 index = shard.header->accounts.used_end;
  check(index != 0 && index < shard.sizes.accounts, "the test's ledger has room");
  ledger::Account& account = shard.accounts[index];
  account.id = command.account_id;
  account.plan = command.plan;
  account.identity_count = command.identity_count;
  account.identities = command.identities;
  u32* link = &account.first_bucket;
  for (u32 i = 0; i < command.bucket_count; ++i) {
    const u32 at = shard.header->buckets.used_end++;
    const ledger::NewBucket& wanted = command.buckets[i];
    ledger::Bucket& bucket = shard.buckets[at];
    bucket.account = index;
    bucket.unit = wanted.unit;
    bucket.priority = wanted.priority;
    bucket.expires_s = wanted.expires_s;
    bucket.state = ledger::BucketState::open;
    bucket.put_in = bucket.balance = wanted.amount;
    *link = at;
    link = &bucket.next;
  }
  account.state = ledger::AccountState::active;
  __atomic_store_n(&shard.header->accounts.used_end, index + 1, __ATOMIC_RELEASE);
  answer.account = ledger::AccountRef::make(command.shard, index);
}

void FakeAppliance::top_up(const ledger::Command& command, ledger::CommandAnswer& answer) {
  const ledger::ShardMemory shard = memory_.shard(command.shard);
  const ledger::NewBucket& wanted = command.buckets[0];
  u32 at = shard.accounts[command.account.index()].first_bucket;
  while (at != 0 && shard.buckets[at].unit != wanted.unit) at = shard.buckets[at].next;
  if (at == 0) {
    answer.outcome = ledger::Outcome::bucket_unknown;
    return;
  }
  for (u32 i = 0; i < command.bucket_count; ++i) {
    if (command.buckets[i].unit != wanted.unit) continue;
    shard.buckets[at].balance.count += command.buckets[i].amount.count;
    shard.buckets[at].put_in.count += command.buckets[i].amount.count;
  }
  answer.balance = shard.buckets[at].balance;
  answer.unit = wanted.unit;
}

// The fee, if one bucket has it; what the turn brings is left out.
void FakeAppliance::begin_turn(const ledger::Command& command, ledger::CommandAnswer& answer) {
  const ledger::ShardMemory shard = memory_.shard(command.shard);
  const ledger::NewBucket& fee = command.buckets[0];
  if (command.bucket_count == 0 || fee.role != ledger::BucketRole::fee) return;
  u32 at = shard.accounts[command.account.index()].first_bucket;
  while (at != 0 && shard.buckets[at].unit != fee.unit) at = shard.buckets[at].next;
  if (at == 0 || shard.buckets[at].balance < fee.amount) {
    answer.outcome = ledger::Outcome::credit_limit_reached;
    return;
  }
  shard.buckets[at].balance.count -= fee.amount.count;
  shard.buckets[at].consumed.count += fee.amount.count;
  answer.balance = shard.buckets[at].balance;
  answer.unit = fee.unit;
}

namespace {

ledger::Bucket* find_bucket(const ledger::ShardMemory& shard, const ledger::Command& command,
                            ledger::BucketState state) {
  u32 at = shard.accounts[command.account.index()].first_bucket;
  for (; at != 0; at = shard.buckets[at].next) {
    ledger::Bucket& bucket = shard.buckets[at];
    if (bucket.state != state) continue;
    const u64 id = command.kind == ledger::CommandKind::transfer ? command.idempotency_key
                                                                 : command.transfer_id;
    const bool is_plain = state == ledger::BucketState::open;
    if (is_plain ? bucket.unit == command.buckets[0].unit : ledger::transfer_id_of(bucket) == id) {
      return &bucket;
    }
  }
  return nullptr;
}

void add_bucket(const ledger::ShardMemory& shard, const ledger::Command& command, u64 id,
                ledger::BucketState state) {
  const u32 at = shard.header->buckets.used_end;
  const ledger::BucketTerms terms =
      ledger::transfer_terms(command.buckets[0].unit, command.other_account, id);
  ledger::Bucket& bucket = shard.buckets[at];
  bucket = {.account = command.account.index(),
            .product = terms.product,
            .unit = terms.unit,
            .state = state,
            .expires_s = terms.expires_s,
            .valid_from_s = terms.valid_from_s};
  if (state == ledger::BucketState::in_transit) {
    bucket.put_in = bucket.balance = command.buckets[0].amount;
  }
  ledger::Account& account = shard.accounts[command.account.index()];
  bucket.next = account.first_bucket;
  __atomic_store_n(&shard.header->buckets.used_end, at + 1, __ATOMIC_RELEASE);
  account.first_bucket = at;
}

}  // namespace

void FakeAppliance::send(const ledger::Command& command, ledger::CommandAnswer& answer) {
  const ledger::ShardMemory shard = memory_.shard(command.shard);
  answer.is_in_transit = 1;
  if (find_bucket(shard, command, ledger::BucketState::in_transit) != nullptr) {
    answer.is_repeated = 1;
    return;
  }
  ledger::Bucket* source = find_bucket(shard, command, ledger::BucketState::open);
  check(source != nullptr, "the test sends what is there");
  source->balance.count -= command.buckets[0].amount.count;
  source->put_in.count -= command.buckets[0].amount.count;
  add_bucket(shard, command, command.idempotency_key, ledger::BucketState::in_transit);
  answer.balance = source->balance;
  answer.unit = source->unit;
}

void FakeAppliance::receive(const ledger::Command& command, ledger::CommandAnswer& answer) {
  const ledger::ShardMemory shard = memory_.shard(command.shard);
  if (refuses_transfers) {
    answer.outcome = ledger::Outcome::amount_overflow;
    return;
  }
  if (find_bucket(shard, command, ledger::BucketState::received) != nullptr) {
    answer.is_repeated = 1;
    return;
  }
  ledger::Bucket* target = find_bucket(shard, command, ledger::BucketState::open);
  check(target != nullptr, "the test's target has that unit");
  target->balance.count += command.buckets[0].amount.count;
  target->put_in.count += command.buckets[0].amount.count;
  add_bucket(shard, command, command.transfer_id, ledger::BucketState::received);
}

void FakeAppliance::end_transfer(const ledger::Command& command, ledger::CommandAnswer& answer) {
  const ledger::ShardMemory shard = memory_.shard(command.shard);
  const bool is_sender = command.kind != ledger::CommandKind::transfer_forget;
  ledger::Bucket* bucket = find_bucket(
      shard, command, is_sender ? ledger::BucketState::in_transit : ledger::BucketState::received);
  if (bucket == nullptr) {
    answer.is_repeated = 1;
    return;
  }
  if (command.kind == ledger::CommandKind::transfer_return) {
    ledger::Bucket* home = find_bucket(shard, command, ledger::BucketState::open);
    check(home != nullptr, "it came from there");
    home->balance.count += bucket->balance.count;
    home->put_in.count += bucket->put_in.count;
  }
  bucket->state = ledger::BucketState::free;
}

RunningControl::RunningControl(const ControlOptions& options) {
  thread_ = std::thread([this, options] {
    const int result = run_control(options, stop_);
    check(result == 0, "the test's control stops as asked");
  });
  while (!answers_on(options.socket_path)) ::usleep(1'000);
}

RunningControl::~RunningControl() {
  stop_ = true;
  thread_.join();
}

}  // namespace tollgate::control
