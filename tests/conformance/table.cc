// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/conformance/table.hh"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "base/check.hh"
#include "diameter/message_text.hh"
#include "ledger/ledger.hh"
#include "tests/conformance/expectation.hh"

namespace tollgate::conformance {
namespace {

using diameter::message_text;

constexpr std::string_view first_address = "198.18.0.9:5000";

std::string joined(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

Amount amount_of(const std::string& text, Unit& unit) {
  Amount amount;
  const std::string why = parse_amount(text, amount, unit);
  if (!why.empty()) throw std::runtime_error(text + ": " + why);
  return amount;
}

Duration time_of(const std::string& text) {
  Unit unit = Unit::none;
  return Duration::milliseconds(amount_of(text, unit).count);
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A table without comments, its lines put together, each with its number.
struct Line {
  u32 number;
  std::string text;
};
std::vector<Line> lines_of(std::string_view table) {
  std::vector<Line> lines;
  bool goes_on = false;
  u32 number = 0;
  while (!table.empty()) {
    const std::size_t end = std::min(table.find('\n'), table.size());
    std::string text(table.substr(0, end));
    table.remove_prefix(std::min(end + 1, table.size()));
    ++number;
    text.resize(std::min(text.find('#'), text.size()));
    text.erase(0, std::min(text.find_first_not_of(" \t"), text.size()));
    text.resize(text.find_last_not_of(" \t") + 1);
    const bool more = text.ends_with('\\');
    if (more) text.pop_back();
    if (goes_on) {
      lines.back().text += " " + text;
    } else if (!text.empty()) {
      lines.push_back({number, text});
    }
    goes_on = more;
  }
  return lines;
}

// Where the words of one expectation end: at ';' or at the end.
std::span<const std::string> first_item(std::span<const std::string>& words) {
  const auto end = std::ranges::find(words, ";");
  const auto count = static_cast<std::size_t>(end - words.begin());
  const std::span<const std::string> item = words.first(count);
  words = words.subspan(std::min(count + 1, words.size()));
  return item;
}

bool same_but_hop_by_hop(Octets a, Octets b) {
  constexpr std::size_t hop_by_hop_at = 12;
  for (Octets* octets : {&a, &b}) {
    if (octets->size() < diameter::header_bytes) return false;
    std::fill_n(octets->begin() + hop_by_hop_at, 4, u8{0});
  }
  return a == b;
}

}  // namespace

void Table::begin() {
  clients_.clear();
  accounts_.clear();
  drafts_ = {};
  rig_ = std::make_unique<app::NetRig>(options_);
  is_in_prologue_ = true;
  for (const Words& words : prologue_) run_row(words);
  is_in_prologue_ = false;
}

void Table::include(const std::string& file) {
  for (const Line& line : lines_of(text_of(folder_ + "/" + file))) {
    prologue_.push_back(split(line.text));
  }
}

std::string Table::run(const std::string& file) {
  folder_ = std::filesystem::path(file).parent_path().string();
  std::string faults;
  std::string title;
  bool is_prologue = true;
  bool is_broken = false;
  for (const Line& line : lines_of(text_of(file))) {
    const auto report = [&](const std::string& what) {
      faults += fmt::format("line {} ({}): {}\n    {}\n", line.number, title, line.text, what);
      is_broken = true;  // what follows in the section would only repeat it
    };
    try {
      const Words words = split(line.text);
      if (words[0] == "section") {
        is_prologue = is_broken = false;
        title = line.text.substr(8);
        options_ = {};
        options_.tariff = tariff_;
        options_.rules = rules_;
        begin();
        continue;
      }
      if (words[0] == "tariff") {
        tariff_ = text_of(folder_ + "/" + words.at(1));
        continue;
      }
      if (words[0] == "rules") {
        rules_ = text_of(folder_ + "/" + words.at(1));
        continue;
      }
      if (words[0] == "include") {
        include(words.at(1));
        continue;
      }
      if (is_prologue) {
        prologue_.push_back(words);
        continue;
      }
      if (is_broken) continue;
      ++row_count_;
      const std::string why = run_row(words);
      if (!why.empty()) report(why);
    } catch (const std::exception& error) {
      report(error.what());
    }
  }
  return faults;
}

std::string Table::run_row(const Words& words) {
  const auto arrow = std::ranges::find(words, "->");
  const Words expected(arrow == words.end() ? arrow : arrow + 1, words.end());
  const Words left(words.begin(), arrow);
  const std::string told = act(left);
  const bool is_client = left.size() > 1 && clients_.contains(left[0]);
  std::string why;
  if (!told.empty()) {
    why = told == joined(expected) ? "" : "it is: " + told;
  } else {
    why = compare(is_client ? left[0] : "", expected);
  }
  if (!why.empty()) return why;
  why = rig_->charge().fault();
  return why.empty() ? "" : "the ledger: " + why;
}

std::string Table::act(const Words& words) {
  const std::string& verb = words[0];
  if (verb == "message") {
    if (words.size() < 4 || words[2] != "=") throw std::runtime_error("message NAME = MESSAGE ...");
    drafts_.name(words[1], drafts_.read(std::span(words).subspan(3)));
  } else if (verb == "peer") {
    add_peer(words);
  } else if (verb == "limit") {
    set_limits(words);
  } else if (verb == "profile") {
    set_profile(words);
  } else if (verb == "top-up" || verb == "reauth" || verb == "abort") {
    return order(words);
  } else if (verb == "balance") {
    return balance_of(words.at(1));
  } else if (verb == "sessions") {
    return std::to_string(session_count());
  } else if (verb == "counter") {
    return std::to_string(rig_->counter(words.at(1)));
  } else if (verb == "calls") {
    return calls();
  } else if (verb == "watch") {
    watch(words.at(1));
  } else if (verb == "traced") {
    return traced();
  } else if (!act_on_ledger(words)) {
    act_as_client(words);
  }
  return {};
}

// What befalls the appliance.
bool Table::act_on_ledger(const Words& words) {
  const std::string& verb = words[0];
  if (verb == "account") {
    Unit unit = Unit::none;
    const Amount balance = amount_of(words.at(3), unit);
    accounts_[words[1]] = rig_->add_account(words.at(1), words.at(2), {balance, unit});
  } else if (verb == "wait") {
    rig_->wait(time_of(words.at(1)));
  } else if (verb == "lag") {
    rig_->transport().set_lag(time_of(words.at(1)));
    rig_->poll();
  } else if (verb == "stop") {
    rig_->tile().begin_stop(rig_->charge().now);
    rig_->turn();
  } else if (verb == "restart") {
    rig_->restart();
    clients_.clear();
  } else {
    return false;
  }
  return true;
}

void Table::watch(const std::string& peer) {
  ledger::TraceTable::Wanted all{};
  all[0].until_ns = (rig_->charge().now + Duration::seconds(3600)).ns;
  all[0].is_peer = 1;
  all[0].name_bytes = static_cast<u16>(peer.copy(all[0].name.data(), all[0].name.size()));
  rig_->trace_table().write(all);
  rig_->wait(Duration::milliseconds(1));
}

// What was copied for who watches: the commands.
std::string Table::traced() {
  std::string text;
  LinkConsumer link(rig_->traced());
  for (Bytes frame; link.next(frame);) {
    ledger::TraceRecord record;
    if (frame.size() < sizeof record + diameter::header_bytes) return "a frame is too short";
    std::memcpy(&record, frame.data(), sizeof record);
    const std::string message = message_text(frame.subspan(sizeof record));
    text += record.kind == ledger::TraceKind::received ? " received " : " sent ";
    text += message.substr(0, message.find(' '));
  }
  link.release();
  return text.empty() ? "nothing" : text.substr(1);
}

void Table::add_peer(const Words& words) {
  app::PeerRule rule;
  for (const std::string& word : std::span(words).subspan(1)) {
    const std::size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = word.substr(std::min(equals + 1, word.size()));
    bool is_good = true;
    if (key == "host") {
      rule.host = value;
    } else if (key == "realm") {
      rule.realm = value;
    } else if (key == "from") {
      is_good = dataplane::parse(value, rule.addresses.emplace_back());
    } else if (key == "connections") {
      rule.connections_max = static_cast<u32>(std::stoul(value));
    } else if (key == "call") {
      is_good = dataplane::parse(value, 3868, rule.call.emplace());
    } else {
      is_good = false;
    }
    if (!is_good) throw std::runtime_error("no part of a peer's rule: " + word);
  }
  options_.peer_rules.add(rule);
  begin();
}

void Table::set_limits(const Words& words) {
  for (const std::string& word : std::span(words).subspan(1)) {
    const std::size_t equals = word.find('=');
    const u32 value = static_cast<u32>(std::stoul(word.substr(equals + 1)));
    if (word.starts_with("unauthenticated=")) options_.unauthenticated_max = value;
    if (word.starts_with("pending=")) options_.pending_max = value;
  }
  begin();
}

// One word, a list of words with commas (or one with a comma behind it), a number or a truth.
std::string toml_of(const std::string& value) {
  const bool is_plain = value == "true" || value == "false" ||
                        value.find_first_not_of("0123456789") == std::string::npos;
  if (is_plain && !value.empty()) return value;
  if (value.find(',') == std::string::npos) return '"' + value + '"';
  std::string text;
  for (std::size_t at = 0; at < value.size();) {
    const std::size_t end = std::min(value.find(',', at), value.size());
    if (end != at) text += '"' + value.substr(at, end - at) + "\", ";
    at = end + 1;
  }
  return '[' + text + ']';
}

void Table::set_profile(const Words& words) {
  // What stands before the sections is done at each begin, which this is.
  if (is_in_prologue_) throw std::runtime_error("a profile stands in a section");
  std::string text = "[profile]\n";
  for (const std::string& word : std::span(words).subspan(1)) {
    const std::size_t equals = std::min(word.find('='), word.size() - 1);
    text += word.substr(0, equals) + " = " + toml_of(word.substr(equals + 1)) + "\n";
  }
  const std::string wrong = app::read_profile_text(text, options_.profile.emplace());
  if (!wrong.empty()) throw std::runtime_error(wrong);
  options_.profile->name = "table";
  begin();
}

dataplane::StreamId Table::first_call() const {
  for (const app::FakeTransport::Stream& stream : rig_->transport().streams()) {
    if (stream.is_connecting) return stream.id;
  }
  throw std::runtime_error("the appliance calls nobody");
}

std::string Table::calls() const {
  std::string text;
  for (const app::FakeTransport::Stream& stream : rig_->transport().streams()) {
    if (!stream.is_connecting) continue;
    text += (text.empty() ? "" : " ") + to_text(stream.remote);
  }
  return text.empty() ? "nothing" : text;
}

// What an operator does beside it; empty if it is carried out.
std::string Table::order(const Words& words) {
  ledger::Command command;
  if (words[0] == "top-up") {
    command.kind = ledger::CommandKind::top_up;
    command.account = accounts_.at(words.at(1));
    command.buckets[0].amount = amount_of(words.at(2), command.buckets[0].unit);
    command.bucket_count = 1;
  } else {
    const bool is_abort = words[0] == "abort";
    command.kind =
        is_abort ? ledger::CommandKind::abort_session : ledger::CommandKind::re_auth_session;
    command.account = accounts_.begin()->second;
    command.session_id_bytes =
        static_cast<u8>(words.at(1).copy(command.session_id.data(), command.session_id.size()));
    if (!is_abort) command.rating_group = words.size() > 3 ? std::stol(words.at(3)) : -1;
    const bool is_of_pool = words.size() > 3 && words[2] == "pool";
    if (is_of_pool) command.flags = ledger::command_flag::names_pool;
  }
  command.shard = static_cast<u8>(command.account.shard());
  const std::string outcome = rig_->order(command);
  return outcome == "ok" ? "" : outcome;
}

void Table::act_as_client(const Words& words) {
  const std::string& verb = words.at(1);
  const std::span<const std::string> rest = std::span(words).subspan(2);
  Client& client = clients_[words[0]];
  if (verb == "connects") {
    client = {.stream = rig_->transport().accept(rest.empty() ? first_address : rest[0]),
              .is_open = true};
    rig_->turn();
  } else if (verb == "is") {
    client = {.stream = first_call(), .is_open = true};
    rig_->transport().establish(client.stream);
    rig_->turn();
  } else if (verb == "refuses") {
    rig_->transport().fail(first_call(), dataplane::CloseReason::refused);
    rig_->turn();
  } else if (verb == "opens") {
    open(client, rest);
  } else if (verb == "sends") {
    send(client, rest, Pace::at_once);
  } else if (verb == "dribbles") {
    send(client, rest, Pace::octet_by_octet);
  } else if (verb == "queues") {
    send(client, rest, Pace::queued);
  } else if (verb == "closes") {
    rig_->transport().end(client.stream);
    rig_->turn();
    client.is_open = false;
  } else {
    throw std::runtime_error("no verb of a table: " + words[0] + " " + verb);
  }
}

void Table::open(Client& client, std::span<const std::string> words) {
  const bool has_address = !words.empty() && words[0].find('=') == std::string::npos;
  client = {.stream = rig_->transport().accept(has_address ? words[0] : first_address),
            .is_open = true};
  Words message{"CER"};
  for (const std::string& word : words.subspan(has_address ? 1 : 0)) message.push_back(word);
  send(client, message, Pace::at_once);
  const std::vector<Octets> answers = rig_->sent(client.stream);
  if (answers.size() != 1) throw std::runtime_error("the CER has no answer");
  const std::string why = compare_message(answers[0], Words{"CEA", "2001"});
  if (!why.empty()) throw std::runtime_error("the CER is refused: " + message_text(answers[0]));
  client.requests.clear();
}

void Table::send(Client& client, std::span<const std::string> words, Pace pace) {
  if (words.size() == 2 && words[0] == "octets") {
    const Octets avp = read_avp("Class=" + words[1]).octets;
    constexpr std::size_t header_of_an_avp = 8;
    const Octets octets(avp.begin() + header_of_an_avp,
                        avp.begin() + header_of_an_avp + static_cast<i64>(words[1].size() / 2 - 1));
    return deliver(client, octets, pace);
  }
  Draft draft = drafts_.read(words);
  if (!draft.has_ids() && draft.header().is_request()) {
    draft.header().hop_by_hop = next_id_++;
    draft.header().end_to_end = next_id_++;
  } else if (!draft.has_ids()) {
    draft.header().hop_by_hop = client.last_request.hop_by_hop;
    draft.header().end_to_end = client.last_request.end_to_end;
  }
  if (draft.header().is_request()) client.requests.push_back(draft.header());
  deliver(client, draft.encode(), pace);
}

void Table::deliver(Client& client, Bytes octets, Pace pace) {
  const std::size_t piece = pace == Pace::octet_by_octet ? 1 : octets.size();
  for (std::size_t at = 0; at < octets.size(); at += piece) {
    rig_->transport().deliver(client.stream, octets.subspan(at, piece));
  }
  if (pace == Pace::queued) {
    rig_->poll();
  } else {
    rig_->turn();
  }
}

std::string Table::balance_of(const std::string& msisdn) const {
  Amount free;
  Amount held;
  const ledger::LedgerView view(rig_->charge().memory());
  view.for_each_bucket_of(accounts_.at(msisdn), [&](const ledger::Bucket& bucket) {
    if (bucket.unit != Unit::eur) return;
    free.count += bucket.balance.count;
    held.count += bucket.reserved.count;
  });
  return fmt::format("free {} held {}", to_decimal(free, Unit::eur), to_decimal(held, Unit::eur));
}

u32 Table::session_count() const {
  u32 count = 0;
  for (u32 number = 0; number < ledger::shard_count; ++number) {
    const ledger::ShardMemory shard = rig_->charge().memory().shard(number);
    for (u32 i = 1; i < shard.header->sessions.used_end; ++i) {
      count += shard.sessions[i].state == ledger::SessionState::open ? 1 : 0;
    }
  }
  return count;
}

std::vector<Table::Seen> Table::collect() {
  std::vector<Seen> all;
  for (auto& [name, client] : clients_) {
    const app::FakeTransport::Stream& stream = rig_->transport().stream(client.stream);
    if (!client.is_open) continue;
    for (Octets& message : rig_->sent(client.stream)) all.push_back({name, std::move(message)});
    if (stream.is_open && stream.id == client.stream) continue;
    client.is_open = false;
    all.push_back({.client = name, .was_aborted = stream.was_aborted});
  }
  return all;
}

// Each connection's items come in order; between connections there is none.
std::string Table::compare(const std::string& client, const Words& expected) {
  std::vector<Seen> seen = collect();
  std::span<const std::string> rest = expected;
  while (!rest.empty()) {
    std::span<const std::string> item = first_item(rest);
    std::string name = client;
    if (!item.empty() && item[0].ends_with(':')) {
      name = item[0].substr(0, item[0].size() - 1);
      item = item.subspan(1);
    }
    if (item.empty() || item[0] == "nothing") continue;
    const auto at = std::ranges::find(seen, name, &Seen::client);
    if (at == seen.end()) return "there was no " + joined(item);
    const Seen one = *at;
    seen.erase(at);
    const std::string why = compare_one(one, Words(item.begin(), item.end()));
    if (why.empty()) continue;
    return why + (one.message.empty() ? "" : "\n    " + message_text(one.message));
  }
  if (seen.empty()) return {};
  const Seen& one = seen[0];
  return fmt::format("there was also {}: {}", one.client,
                     one.message.empty() ? "close" : message_text(one.message));
}

std::string Table::compare_one(const Seen& seen, const Words& expected) {
  if (expected[0] == "close" || expected[0] == "reset") {
    if (!seen.message.empty()) return "it goes on";
    return seen.was_aborted == (expected[0] == "reset") ? "" : "it ends the other way";
  }
  if (seen.message.empty()) return "the connection ended";
  Client& client = clients_.at(seen.client);
  const diameter::Header header = diameter::read_header(seen.message);
  std::string why;
  if (header.is_request()) {
    client.last_request = header;
  } else {
    why = check_answer(client, seen.message);
  }
  if (!why.empty()) return why;
  const Octets before = std::exchange(client.last_answer, seen.message);
  if (expected[0] == "same") {
    return same_but_hop_by_hop(before, seen.message) ? "" : "it is not the answer before";
  }
  return compare_message(seen.message, expected);
}

std::string Table::check_answer(Client& client, const Octets& message) {
  const diameter::Header header = diameter::read_header(message);
  const auto request = std::ranges::find_if(client.requests, [&](const diameter::Header& sent) {
    return sent.hop_by_hop == header.hop_by_hop && sent.end_to_end == header.end_to_end;
  });
  if (request == client.requests.end()) return "an answer to no request";
  const bool is_same = header.command == request->command &&
                       header.application == request->application &&
                       header.is_proxiable() == request->is_proxiable();
  client.requests.erase(request);
  if (!is_same) return "command, application or P is not that of the request";
  if (header.version != diameter::protocol_version) return "the version is not 1";
  constexpr u8 never = static_cast<u8>(~(diameter::flag_proxiable | diameter::flag_error));
  if ((header.flags & never) != 0) return "T or reserved bits in an answer";
  const std::string why = grammar_fault(message);
  if (!why.empty()) return why;
  diameter::Avp code;
  const bool has_code =
      find_first(Bytes(message).subspan(diameter::header_bytes), find_id("Result-Code"), code);
  const bool is_protocol_error = has_code && code.as_u32() / 1000 == 3;
  if (header.is_error() != is_protocol_error) return "the E bit does not fit the Result-Code";
  return {};
}

}  // namespace tollgate::conformance
