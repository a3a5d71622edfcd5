// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/control.hh"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <filesystem>
#include <random>

#include "control/account_names.hh"
#include "control/accounts.hh"
#include "control/balances.hh"
#include "control/cdr_task.hh"
#include "control/history.hh"
#include "control/import.hh"
#include "control/products.hh"
#include "control/server.hh"
#include "control/session_orders.hh"
#include "control/tariff_verbs.hh"
#include "control/tariff_versions.hh"
#include "control/traces.hh"
#include "control/transfers.hh"
#include "control/views.hh"
#include "control/vouchers.hh"

namespace tollgate::control {
namespace {

constexpr Duration housekeeping_period = Duration::milliseconds(50);
constexpr int idle_wait_ms = 5;

// Everything that run_control has, in the order in which it is made.
class Control {
 public:
  Control(const ControlOptions& options, Appliance& appliance, const ledger::JournalFolder& journal)
      : store_(options.state_folder + "/provisioning.db"),
        channel_(channel_options(options, appliance)),
        context_{options, store_, appliance, channel_, tariffs_, clock_},
        quiet_(appliance),
        book_(context_, quiet_),
        transfers_(context_, book_, quiet_),
        reconcile_(context_, quiet_),
        accounts_(context_, book_, reconcile_),
        balances_(context_, book_),
        vouchers_(context_, book_),
        products_(context_, book_),
        session_orders_(context_),
        views_(context_),
        history_(context_, journal),
        traces_(context_),
        cdr_writer_(cdr_options(options, journal), clock_.now()),
        events_(event_options(options, journal), clock_.now()),
        cdr_task_(journal, cdr_writer_, events_, cdr_names(), durable_sequences(appliance)),
        server_([this](const Request& request, const Reply& reply) { handle(request, reply); }) {}

  [[nodiscard]] std::string start() {
    tariffs_.set_avp_names(context_.options.avp_names);
    std::string mistakes = load_first_tariff(context_);
    if (!mistakes.empty()) return mistakes;
    accounts_.add_verbs(verbs_);
    balances_.add_verbs(verbs_);
    vouchers_.add_verbs(verbs_);
    products_.add_verbs(verbs_);
    accounts_.tell_products([this](u64 account_id) { return products_.describe_of(account_id); });
    session_orders_.add_verbs(verbs_);
    book_.set_observer([this](const CommandRow& row) { session_orders_.after_command(row); });
    tariff_version_ = tariff_version();
    views_.add_verbs(verbs_);
    history_.add_verbs(verbs_);
    traces_.add_verbs(verbs_);
    add_tariff_verbs(verbs_, context_);
    verbs_["account.import"] = [this](const Json& args, const Reply& reply) {
      begin_import(args, reply);
    };
    cdr_task_.watch_commands(
        {.is_wanted = [this] { return book_.has_open(); },
         .journaled = [this](u64 key, const auto& answer) { book_.journaled(key, answer); }});
    mend_index();
    reconcile_.begin_with_pending();
    book_.watch_transfers([this](const CommandRow& row) { transfers_.sent(row); });
    book_.follow(
        [this](const CommandRow& row, ledger::Outcome outcome) { products_.follow(row, outcome); });
    book_.begin_with_open();
    transfers_.begin_with_open();
    return server_.listen(context_.options.socket_path);
  }

  // A control that was killed while it wrote the index left entries half done. They are taken out,
  // and what the accounts say of themselves is put in again.
  void mend_index() {
    ledger::IdentityIndex& index = context_.appliance.index();
    if (index.mend() == 0) return;
    u64 restored = 0;
    for (u32 shard = 0; shard < ledger::shard_count; ++shard) {
      context_.appliance.ledger().for_each_account(
          shard, [&](ledger::AccountRef place, const ledger::Account& account) {
            for (u32 i = 0; i < account.identity_count; ++i) {
              const ledger::IdentityKey key = account.identities[i];
              if (index.find(key).is_none() && index.insert(key, place)) ++restored;
            }
          });
    }
    spdlog::warn("the identity index was left half written: {} entries restored", restored);
  }

  void run(const std::atomic<bool>& stop) {
    spdlog::info("control of {} listens on {}", context_.options.appliance_name,
                 context_.options.socket_path);
    while (!stop.load(std::memory_order_relaxed)) turn();
    finish();
  }

 private:
  static CommandChannel::Options channel_options(const ControlOptions& options,
                                                 const Appliance& appliance);
  static CdrWriter::Options cdr_options(const ControlOptions& options,
                                        const ledger::JournalFolder& journal);
  static CdrWriter::Options event_options(const ControlOptions& options,
                                          const ledger::JournalFolder& journal);
  static std::vector<const std::atomic<u64>*> durable_sequences(const Appliance& appliance);
  CdrNames cdr_names();
  std::string peer_name(u64 hash) const;
  u64 tariff_version() const {
    return tariffs_.image().is_loaded() ? tariffs_.image().version() : 0;
  }
  void handle(const Request& request, const Reply& reply);
  void begin_import(const Json& args, const Reply& reply);
  void turn();
  bool write_cdrs(Instant now);
  bool work_on_import(Instant now);
  void finish();

  Clock clock_;
  Store store_;
  AccountNames account_names_{store_};
  CommandChannel channel_;
  Tariffs tariffs_;
  Context context_;
  Quiet quiet_;
  CommandBook book_;
  Transfers transfers_;
  Reconcile reconcile_;
  Accounts accounts_;
  Balances balances_;
  Vouchers vouchers_;
  Products products_;
  SessionOrders session_orders_;
  Views views_;
  History history_;
  Traces traces_;
  CdrWriter cdr_writer_;
  CdrWriter events_;
  CdrTask cdr_task_;
  Verbs verbs_;
  std::unique_ptr<Import> import_;
  Reply import_reply_{0, nullptr};
  u64 tariff_version_ = 0;
  Instant housekept_at_;
  Instant cdr_failed_at_;
  bool journal_is_read_ = false;
  Server server_;
};

CommandChannel::Options Control::channel_options(const ControlOptions& options,
                                                 const Appliance& appliance) {
  CommandChannel::Options channel;
  const auto need = [&](const std::string& name) {
    LinkMemory* link = appliance.link(name);
    if (link == nullptr) throw FileError(fmt::format("the appliance has no link {}", name));
    return link;
  };
  for (u32 tile = 0; tile < options.charge_tile_count; ++tile) {
    channel.to_charge.push_back(need(fmt::format("control_charge{}", tile)));
  }
  for (u32 tile = 0; tile < options.journal_tile_count; ++tile) {
    channel.from_journal.push_back(need(fmt::format("journal{}_control", tile)));
  }
  channel.run = std::random_device{}();
  return channel;
}

CdrWriter::Options Control::cdr_options(const ControlOptions& options,
                                        const ledger::JournalFolder& journal) {
  return {.folder = options.cdr_folder,
          .name = options.appliance_name,
          .rotation_bytes = options.cdr_rotation_bytes,
          .rotation_time = Duration::seconds(options.cdr_rotation_seconds),
          .journal_id = journal.appliance,
          .reached = nullptr};
}

// Events lie in a folder of their own beside the records, in files of the same make.
CdrWriter::Options Control::event_options(const ControlOptions& options,
                                          const ledger::JournalFolder& journal) {
  CdrWriter::Options events = cdr_options(options, journal);
  events.folder += "/events";
  events.name += "-events";
  return events;
}

std::vector<const std::atomic<u64>*> Control::durable_sequences(const Appliance& appliance) {
  std::vector<const std::atomic<u64>*> all;
  for (const ledger::JournalMemory* stream : appliance.journal_streams()) {
    all.push_back(&stream->durable_sequence);
  }
  return all;
}

CdrNames Control::cdr_names() {
  return {
      .account = [this](u64 id) { return account_names_.members_of(id); },
      .plan = [this](u32 plan) { return tariffs_.plan_name(plan); },
      .product = [this](u32 product) { return tariffs_.product_name(product); },
      .zone = [this](u32 zone) { return tariffs_.zone_name(zone); },
      .service_context = [this](u64 context) { return context_text(tariffs_.image(), context); },
      .origin_host = [this](u64 hash) { return peer_name(hash); }};
}

// The name of a connected peer, by its hash; empty if it is not connected.
std::string Control::peer_name(u64 hash) const {
  for (const StatusTable& table : context_.appliance.peers()) {
    for (const StatusTable::ReadRow& row : table.read()) {
      for (const std::string& text : row.texts) {
        if (hash64(as_bytes(text)) == hash) return text;
      }
    }
  }
  return {};
}

void Control::handle(const Request& request, const Reply& reply) {
  const auto verb = verbs_.find(request.verb);
  if (verb == verbs_.end()) {
    return reply.refuse(refusal::unknown_verb,
                        fmt::format("this control does not know '{}'", request.verb));
  }
  try {
    verb->second(request.args, reply);
  } catch (const Refused& refused) {
    reply.refuse(refused);
  } catch (const std::exception& error) {
    spdlog::error("{}: {}", request.verb, error.what());
    reply.refuse(refusal::internal, error.what());
  }
}

void Control::begin_import(const Json& args, const Reply& reply) {
  if (import_) throw Refused(refusal::busy, "another import is going on");
  if (reconcile_.open_count() != 0) {
    throw Refused(refusal::busy,
                  "accounts of an interrupted import are being looked up in the ledger: try again "
                  "in a moment");
  }
  import_ = std::make_unique<Import>(context_, reconcile_, Arguments(args).text("path"), reply);
  import_reply_ = reply;
}

void Control::turn() {
  const Instant now = clock_.now();
  bool has_more = channel_.poll(now);
  has_more = work_on_import(now) || has_more;
  has_more = write_cdrs(now) || has_more;
  has_more = views_.step(now) || has_more;
  has_more = history_.step() || has_more;
  has_more = traces_.step(now) || has_more;
  has_more = session_orders_.step(now) || has_more;
  if (tariff_version() != tariff_version_) {
    tariff_version_ = tariff_version();
    session_orders_.after_tariff();
  }
  if (now - housekept_at_ >= housekeeping_period) {
    housekept_at_ = now;
    clock_.resync();
    quiet_.step(journal_is_read_);
    reconcile_.step();
    book_.step();
    products_.step(now);
    TariffVersions(context_).step(now);
    transfers_.step();
  }
  const bool is_waiting = channel_.in_flight() != 0 || import_ != nullptr;
  server_.poll(has_more ? 0 : is_waiting ? 1 : idle_wait_ms);
}

bool Control::work_on_import(Instant now) {
  if (!import_) return false;
  bool has_more = false;
  try {
    has_more = import_->step(now);
  } catch (const Refused& refused) {
    import_reply_.refuse(refused);
    import_.reset();
    return false;
  } catch (const SqlError& error) {
    import_reply_.refuse(refusal::internal, error.what());
    import_.reset();
    return false;
  }
  if (import_->is_finished()) import_.reset();
  return has_more;
}

bool Control::write_cdrs(Instant now) {
  constexpr Duration pause_after_failure = Duration::seconds(1);
  if (now - cdr_failed_at_ < pause_after_failure) return false;
  try {
    const bool has_more = cdr_task_.step(now);
    journal_is_read_ = !has_more && !cdr_task_.has_failed();
    return has_more;
  } catch (const FileError& error) {
    // The journal keeps the records; the files follow when there is room again.
    spdlog::error("CDRs: {}", error.what());
    cdr_failed_at_ = now;
    journal_is_read_ = false;
    return false;
  }
}

void Control::finish() {
  const Instant until = clock_.now() + context_.options.last_answers_wait;
  while (channel_.in_flight() != 0 && clock_.now() < until) {
    channel_.poll(clock_.now());
    server_.poll(1);
  }
  // Shorter than the launcher's patience. What is left lies in the journal, for the next start.
  constexpr Duration last_records_wait = Duration::seconds(4);
  const Instant records_until = clock_.now() + last_records_wait;
  bool has_more = true;
  while (has_more && clock_.now() < records_until) has_more = write_cdrs(clock_.now());
  if (has_more) spdlog::warn("charging records of what ended last are written at the next start");
  if (journal_is_read_) cdr_task_.checkpoint();
  spdlog::info("control stopped; {} charging records written", cdr_writer_.record_count());
}

int refuse_start(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  return 2;
}

}  // namespace

int run_control(const ControlOptions& options, const std::atomic<bool>& stop) {
  Appliance appliance;
  const std::string why = appliance.join(options);
  if (!why.empty()) return refuse_start(why);
  ledger::JournalFolder journal;
  journal.path = options.journal_folder;
  const std::string journal_why = journal.open();
  if (!journal_why.empty()) return refuse_start(journal_why);
  bool is_running = false;
  try {
    std::filesystem::create_directories(options.state_folder);
    Control control(options, appliance, journal);
    const std::string mistakes = control.start();
    if (!mistakes.empty()) return refuse_start(mistakes);
    is_running = true;
    control.run(stop);
  } catch (const std::exception& error) {
    if (!is_running) return refuse_start(error.what());
    spdlog::error("control ends: {}; started again it continues where it stood", error.what());
    return 1;
  }
  return 0;
}

}  // namespace tollgate::control
