// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tests/sim/judge.hh"

#include <algorithm>
#include <cstring>

#include "ledger/journal_reader.hh"
#include "ledger/shard.hh"

namespace tollgate::sim {
namespace {

using ledger::EntryKind;

std::string key_of(std::string_view session_id, RequestKind kind, u32 number) {
  return fmt::format("{} {} {}", session_id, static_cast<u32>(kind), number);
}

app::AnswerFrame frame_of(Bytes answer) {
  app::AnswerFrame frame;
  check(answer.size() >= sizeof frame.answer && answer.size() <= sizeof frame, "a whole answer");
  std::memcpy(static_cast<void*>(&frame), answer.data(), answer.size());
  return frame;
}

std::vector<ModelCrossing> crossings_in(Bytes words) {
  std::vector<ModelCrossing> all;
  for (std::size_t at = 0; at + sizeof(ledger::ThresholdNote) <= words.size();
       at += sizeof(ledger::ThresholdNote)) {
    ledger::ThresholdNote note;
    std::memcpy(&note, words.data() + at, sizeof note);
    all.push_back({static_cast<u32>(note.account_id), note.unit, note.threshold.count});
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace

u32 Judge::add(Question question) {
  const u32 number = static_cast<u32>(questions_.size());
  question_of_[key_of(question.session_id, question.kind, question.number)] = number;
  questions_.push_back(std::move(question));
  return number;
}

u32 Judge::add(const ledger::Command& command) {
  const u32 number = static_cast<u32>(commands_.size());
  commands_.push_back(command);
  commands_.back().tag = ledger::AnswerTag::control(number + 1);
  commands_.back().idempotency_key = 1000 + number;
  return number;
}

// Which question a tag means is known from the link to the charge tile.
void Judge::read_requests() {
  for (u32 net = 0; net < appliance_.shape().net_count; ++net) {
    for (u32 charge = 0; charge < appliance_.shape().charge_count; ++charge) {
      for (const Bytes frame : appliance_.tap_requests(net, charge)) {
        const app::ChargeRequestView view(frame);
        const auto found =
            question_of_.find(key_of(view.session_id(), view.head().kind, view.head().number));
        if (found == question_of_.end()) fail("a request that nobody sent came to a charge tile");
        tag_question_[view.head().tag.value] = found->second;
      }
    }
  }
}

void Judge::read_entries(u32 charge, bool may_move) {
  const std::vector<Bytes> entries = appliance_.tap_entries(charge);
  for (const Bytes entry : entries) on_entry(charge, may_move, entry);
  if (!entries.empty() && appliance_.is_up({TileKind::charge, charge})) note_state(charge);
}

void Judge::note_state(u32 charge) {
  for (u32 shard = charge; shard < shards_used; shard += appliance_.shape().charge_count) {
    const u64 sequence = appliance_.memory().shard(shard).header->sequence;
    if (sequence == 0 || hashes_[shard].contains(sequence)) continue;
    hashes_[shard][sequence] = appliance_.hash_of_shard(shard);
  }
}

void Judge::on_entry(u32 charge, bool may_move, Bytes octets) {
  ++operation_count_;
  ledger::EntryHeader header;
  std::memcpy(&header, octets.data(), sizeof header);
  Operation operation{.entry = {header.shard, header.sequence},
                      .at = Instant{header.time_ns},
                      .may_move = may_move,
                      .charge = charge,
                      .tag = header.tag.value};
  Note note;
  u64 noted_key = 0;
  const bool is_exact =
      ledger::for_each_part(header, octets, [&](const ledger::PartHeader& part, Bytes words) {
        if (part.pool != ledger::Pool::note) return;
        if (part.index == static_cast<u32>(ledger::NoteKind::command)) {
          std::memcpy(&noted_key, words.data() + offsetof(ledger::Command, idempotency_key), 8);
        }
        if (part.index == static_cast<u32>(ledger::NoteKind::threshold)) {
          note.crossings = crossings_in(words);
        }
        if (part.index != static_cast<u32>(ledger::NoteKind::charging_data)) return;
        if (note.is_there) fail("two charging records in one entry");
        note.is_there = true;
        ledger::ChargingData data;
        std::memcpy(&data, words.data(), sizeof data);
        const u8* at = words.data() + sizeof data;
        for (u32 i = 0; i < data.service_count; ++i, at += sizeof(ledger::ChargingService)) {
          ledger::ChargingService service;
          std::memcpy(&service, at, sizeof service);
          note.cost += service.cost.count;
        }
        note.session_id.assign(reinterpret_cast<const char*>(at), data.session_id_bytes);
      });
  if (!is_exact) fail("an entry is not filled by its parts");
  const Bytes answer = octets.subspan(u64{header.answer_at} * 8, u64{header.answer_words} * 8);
  operation.answer_hash = hash64(answer);
  if (header.tag.is_control()) {
    operation.kind = Operation::Kind::command;
    operation.subject = static_cast<u32>(header.tag.own() - 1);
    on_command(operation, answer, noted_key, note);
  } else if (header.kind == EntryKind::timer) {
    operation.kind = Operation::Kind::timer;
    operation.session_id = note.session_id;
    trace(fmt::format("  expires {}", note.session_id));
    model_.expire(note.session_id, operation.at);
    check_note(note, true, model_.last_closing_cost());
  } else {
    on_request(operation, header, answer, note);
  }
  if (operation.kind != Operation::Kind::timer && note.crossings != model_.crossings()) {
    fail("operation {}: {} thresholds are told to be crossed, expected {}", operation_count_,
         note.crossings.size(), model_.crossings().size());
  }
  by_tag_.emplace(operation.tag, operations_.size());
  operations_.push_back(std::move(operation));
}

void Judge::on_request(Operation& operation, const ledger::EntryHeader& header, Bytes answer,
                       const Note& note) {
  const auto found = tag_question_.find(header.tag.value);
  if (found == tag_question_.end()) fail("an answer to a request that was not on its way");
  operation.subject = found->second;
  const Question& question = questions_[found->second];
  const Model::Reply reply = model_.carry_out(question, operation.at, operation.may_move);
  trace(fmt::format("  {} -> {}{}", to_text(question), to_text(reply.answer),
                    reply.is_repeated ? " (repeated)" : ""));
  const app::AnswerFrame frame = frame_of(answer);
  const std::string why = compare_answer(frame, reply.answer);
  if (!why.empty()) {
    fail("{}: {}; expected {}", to_text(question), why, to_text(reply.answer));
  }
  const bool is_repeated = (frame.answer.flags & ledger::answer_flag::is_repeated) != 0;
  if (is_repeated != reply.is_repeated) {
    fail("{} was {}", to_text(question), is_repeated ? "repeated" : "carried out twice");
  }
  const bool has_effect = header.kind != EntryKind::answer_only;
  if (has_effect != reply.has_effect) {
    fail("{} {} an effect", to_text(question), has_effect ? "had" : "did not have");
  }
  operation.expected = reply.answer;
  const bool has_ended = has_effect && (question.kind == RequestKind::termination ||
                                        question.kind == RequestKind::event);
  check_note(note, has_ended, model_.last_closing_cost());
}

void Judge::on_command(Operation& operation, Bytes answer, u64 noted_key, const Note& note) {
  ledger::CommandAnswer got;
  check(answer.size() == sizeof got, "a whole answer to a command");
  std::memcpy(&got, answer.data(), sizeof got);
  const ledger::Command& command = commands_.at(operation.subject);
  operation.place = got.account;
  const Model::CommandReply reply =
      model_.carry_out(command, got.account, operation.at, operation.may_move);
  trace(fmt::format("  command {} kind {} account {} -> {}", operation.subject,
                    static_cast<u32>(command.kind), command.account_id, to_text(reply.outcome)));
  if (got.outcome != reply.outcome) {
    fail("command {} of kind {}: {}, expected {}", operation.subject,
         static_cast<u32>(command.kind), to_text(got.outcome), to_text(reply.outcome));
  }
  if ((got.is_repeated != 0) != reply.is_repeated) {
    fail("command {} was {}", operation.subject,
         reply.is_repeated ? "carried out twice" : "taken for a repetition");
  }
  if ((got.is_in_transit != 0) != reply.is_in_transit) {
    fail("transfer {} {}", operation.subject,
         reply.is_in_transit ? "is not on its way" : "has only left");
  }
  const bool has_effect = operation.entry.sequence != 0;
  if (has_effect != reply.has_effect) fail("command {} had another effect", operation.subject);
  if (reply.has_balance && got.balance.count != reply.balance) {
    fail("command {}: balance {}, expected {}", operation.subject, got.balance.count,
         reply.balance);
  }
  if (has_effect && noted_key != command.idempotency_key) {
    fail("the key of command {} is not in the journal", operation.subject);
  }
  const bool has_ended = has_effect && command.kind == ledger::CommandKind::drop_session;
  check_note(note, has_ended, model_.last_closing_cost());
}

// A session's end has one charging record, nothing else has one, and it tells what was taken.
void Judge::check_note(const Note& note, bool has_ended, i64 cost) {
  if (note.is_there != has_ended)
    fail("a charging record {}", has_ended ? "is missing" : "too many");
  if (has_ended && note.cost != cost) {
    fail("the charging record of {} says {}, it was {}", note.session_id, note.cost, cost);
  }
}

Judge::Operation& Judge::find_released(u64 tag, Bytes answer) {
  const u64 hash = hash64(answer);
  const auto [begin, end] = by_tag_.equal_range(tag);
  Operation* any = nullptr;
  for (auto at = begin; at != end; ++at) {
    Operation& operation = operations_[at->second];
    if (operation.answer_hash != hash) continue;
    any = &operation;
    if (!operation.is_released) break;
  }
  if (any == nullptr) fail("an answer left that no charge tile gave");
  return *any;
}

// An answer leaves when its effects, and all before them, are on disk.
void Judge::check_durable(const Operation& operation) const {
  const auto number = static_cast<std::size_t>(&operation - operations_.data());
  for (std::size_t i = number + 1; i-- > 0;) {
    const Operation& earlier = operations_[i];
    if (earlier.entry.sequence == 0 || earlier.charge != operation.charge) continue;
    if (!disk_.has_durable(earlier.entry)) {
      fail("an answer left before entry {} of shard {} was on disk", earlier.entry.sequence,
           earlier.entry.shard);
    }
    if (i != number) return;  // those before it are in its group, or in an earlier one
  }
}

// Readers of the files trust that all groups up to there are on disk.
void Judge::check_durable_sequence() const {
  const u64 told = appliance_.journal().durable_sequence.load();
  if (told > disk_.durable_sequence()) {
    fail("group {} is told to be on disk, where group {} is the last", told,
         disk_.durable_sequence());
  }
}

void Judge::read_net_answers() {
  check_durable_sequence();
  for (u32 net = 0; net < appliance_.shape().net_count; ++net) {
    for (const Bytes frame : appliance_.tap_net_answers(net)) {
      u64 tag = 0;
      std::memcpy(&tag, frame.data(), sizeof tag);
      Operation& operation = find_released(tag, frame.subspan(sizeof tag));
      check_durable(operation);
      operation.is_released = true;
      released_[operation.subject].push_back(operation.expected);
    }
  }
}

std::vector<Judge::CommandDone> Judge::read_command_answers() {
  std::vector<CommandDone> done;
  for (const Bytes frame : appliance_.take_command_answers()) {
    u64 tag = 0;
    std::memcpy(&tag, frame.data(), sizeof tag);
    Operation& operation = find_released(tag, frame.subspan(sizeof tag));
    check_durable(operation);
    operation.is_released = true;
    CommandDone& one = done.emplace_back();
    one.number = operation.subject;
    std::memcpy(&one.answer, frame.data() + sizeof tag, sizeof one.answer);
  }
  return done;
}

bool Judge::take_released(u32 question, const std::function<bool(const ExpectedAnswer&)>& fits) {
  std::vector<ExpectedAnswer>& waiting = released_[question];
  const auto found = std::find_if(waiting.begin(), waiting.end(), fits);
  if (found == waiting.end()) return false;
  waiting.erase(found);
  return true;
}

bool Judge::is_up(u32 shard) const {
  return appliance_.is_up({TileKind::charge, shard % appliance_.shape().charge_count});
}

bool Judge::knows_session(const std::string& id) const {
  for (u32 shard = 0; shard < shards_used; ++shard) {
    const ledger::Shard view(appliance_.memory(), shard);
    if (view.find_session(ledger::Shard::session_hash(id), id) != 0) return true;
  }
  return false;
}

// Forgetting is not in the journal, and the appliance may do it at any time after the deadline.
void Judge::after_housekeep(Instant now) {
  for (u32 shard = 0; shard < shards_used; ++shard) {
    if (!is_up(shard)) return;
  }
  std::vector<std::string> gone;
  for (const auto& [id, session] : model_.sessions()) {
    if (session.is_open || session.deadline_ns > now.ns) continue;
    if (!knows_session(id)) gone.push_back(id);
  }
  for (const std::string& id : gone) {
    model_.forget(id);
    operations_.push_back({.kind = Operation::Kind::forget, .session_id = id});
  }
}

// After a crash what was forgotten may be known again: the journal still has it.
void Judge::note_remembered() {
  std::vector<std::string> again;
  for (const auto& [id, session] : model_.forgotten()) {
    if (knows_session(id)) again.push_back(id);
  }
  for (const std::string& id : again) {
    static_cast<void>(model_.remember(id));
    operations_.push_back({.kind = Operation::Kind::remember, .session_id = id});
  }
}

void Judge::redo(const Operation& operation) {
  switch (operation.kind) {
    case Operation::Kind::request:
      static_cast<void>(
          model_.carry_out(questions_[operation.subject], operation.at, operation.may_move));
      break;
    case Operation::Kind::command:
      static_cast<void>(model_.carry_out(commands_[operation.subject], operation.place,
                                         operation.at, operation.may_move));
      break;
    case Operation::Kind::timer:
      model_.expire(operation.session_id, operation.at);
      break;
    case Operation::Kind::forget: {
      const auto found = model_.sessions().find(operation.session_id);
      if (found != model_.sessions().end() && !found->second.is_open) {
        model_.forget(operation.session_id);
      }
      break;
    }
    case Operation::Kind::remember:
      static_cast<void>(model_.remember(operation.session_id));
      break;
  }
}

// The model is made anew from what is on disk; then recovery must have found the same.
void Judge::after_recovery(Instant now) {
  std::vector<Operation> survived;
  for (const Operation& operation : operations_) {
    const bool is_mark =
        operation.kind == Operation::Kind::forget || operation.kind == Operation::Kind::remember;
    if (operation.entry.sequence == 0 && !is_mark) continue;
    const bool is_there =
        is_mark || operation.entry.sequence <=
                       appliance_.memory().shard(operation.entry.shard).header->sequence;
    if (is_there) survived.push_back(operation);
    if (!is_there && operation.is_released) {
      fail("entry {} of shard {} was answered and is lost", operation.entry.sequence,
           operation.entry.shard);
    }
  }
  operations_ = std::move(survived);
  by_tag_.clear();
  tag_question_.clear();
  released_.clear();
  model_ = Model();
  for (const Operation& operation : operations_) redo(operation);
  for (auto& [shard, hashes] : hashes_) {
    const u64 sequence = appliance_.memory().shard(shard).header->sequence;
    // A tile that was killed behind its last burst was not looked at any more.
    const bool was_seen = !hashes.empty() && hashes.rbegin()->first >= sequence;
    hashes.erase(hashes.upper_bound(sequence), hashes.end());
    if (sequence == 0 || !was_seen) continue;
    const auto before = hashes.find(sequence);
    if (before == hashes.end()) {
      // A group may end inside a burst: it was full, or its tile was killed while it was filled.
      const bool is_end_of_group =
          disk_.has_durable({shard, sequence}) && !disk_.has_durable({shard, sequence + 1});
      if (!is_end_of_group) fail("shard {} stands inside a burst after recovery", shard);
    } else if (before->second != appliance_.hash_of_shard(shard)) {
      fail("shard {} is not what it was at entry {}", shard, sequence);
    }
  }
  note_remembered();
  after_housekeep(now);
  compare();
}

Judge::Trail Judge::trail_of(u32 command) const {
  for (const Operation& operation : operations_) {
    if (operation.kind != Operation::Kind::command || operation.subject != command) continue;
    if (operation.entry.sequence == 0) continue;
    return disk_.has_durable(operation.entry) ? Trail::durable : Trail::effect;
  }
  return Trail::none;
}

}  // namespace tollgate::sim
