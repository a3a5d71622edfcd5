// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Judge: reads along what the tiles do, lets the model do it as well, and compares.
//
// What a charge tile publishes is an operation: the model carries the same out, its answer has to
// be the one in the entry, and afterwards every record has to hold what the model says. What the
// journal tile gives out has to be on disk by then, with all that came before it. After a crash the
// operations that are on disk, and no others, make the state.
#pragma once

#include <deque>
#include <functional>

#include "tests/sim/appliance.hh"
#include "tests/sim/model.hh"

namespace tollgate::sim {

inline constexpr u32 shards_used = 4;  // the first ones

class Judge {
 public:
  Judge(Appliance& appliance, SimDisk& disk) : appliance_(appliance), disk_(disk) {}

  // What clients and operators are about to send; the number is theirs to keep.
  u32 add(Question question);
  u32 add(const ledger::Command& command);  // its tag is set by number
  const Question& question(u32 number) const { return questions_[number]; }
  const ledger::Command& command(u32 number) const { return commands_[number]; }

  // After a tile's turn, or its death.
  void read_requests();
  void read_entries(u32 charge, bool may_move);
  void read_net_answers();
  struct CommandDone {
    u32 number;
    ledger::CommandAnswer answer;
  };
  std::vector<CommandDone> read_command_answers();
  // After a charge tile's turn or start: closed sessions whose time is over may be gone.
  void after_housekeep(Instant now);
  // Remembers what the shards of a tile hold, for the time after a crash.
  void note_state(u32 charge);

  // After recovery from the disk.
  void after_recovery(Instant now);

  // What the command has left behind: nothing, an effect, or one that is on disk.
  enum class Trail : u8 { none, effect, durable };
  Trail trail_of(u32 command) const;

  // An answer that the journal tile gave out and no client has had yet, if `fits` says that it is
  // this one. Without a match false.
  bool take_released(u32 question, const std::function<bool(const ExpectedAnswer&)>& fits);

  // Every record of every shard whose tile is there.
  void compare();

  const Model& model() const { return model_; }
  u64 operation_count() const { return operation_count_; }
  std::function<void(const std::string&)> trace = [](const std::string&) {};

 private:
  struct Operation {
    enum class Kind : u8 { request, command, timer, forget, remember };
    Kind kind = Kind::request;
    u32 subject = 0;             // question or command
    std::string session_id;      // of a timer, and of what was forgotten
    SimDisk::EntryName entry{};  // sequence 0: without effect
    Instant at;
    bool may_move = true;
    u32 charge = 0;
    u64 tag = 0;
    ledger::AccountRef place;
    ExpectedAnswer expected;
    u64 answer_hash = 0;
    bool is_released = false;
  };
  struct Note {
    bool is_there = false;
    i64 cost = 0;
    std::string session_id;
    std::vector<ModelCrossing> crossings;
  };
  void on_entry(u32 charge, bool may_move, Bytes octets);
  void on_request(Operation& operation, const ledger::EntryHeader& header, Bytes answer,
                  const Note& note);
  void on_command(Operation& operation, Bytes answer, u64 noted_key, const Note& note);
  void check_note(const Note& note, bool has_ended, i64 cost);
  Operation& find_released(u64 tag, Bytes answer);
  void check_durable(const Operation& operation) const;
  void check_durable_sequence() const;
  void redo(const Operation& operation);
  void note_remembered();
  bool knows_session(const std::string& id) const;
  void compare_account(u32 number, const ModelAccount& account) const;
  void compare_session(const std::string& id, const ModelSession& session) const;
  void compare_counts() const;
  bool is_up(u32 shard) const;

  Appliance& appliance_;
  SimDisk& disk_;
  Model model_;
  std::vector<Question> questions_;
  std::map<std::string, u32> question_of_;  // by key
  std::deque<ledger::Command> commands_;    // others keep references to them
  std::map<u64, u32> tag_question_;         // of requests on their way to a charge tile
  std::vector<Operation> operations_;
  std::multimap<u64, std::size_t> by_tag_;
  std::map<u32, std::vector<ExpectedAnswer>> released_;
  std::map<u32, std::map<u64, u64>> hashes_;  // by shard and sequence
  u64 operation_count_ = 0;
};

// Empty, or in what the answer differs from what it should be.
std::string compare_answer(const app::AnswerFrame& frame, const ExpectedAnswer& expected);

}  // namespace tollgate::sim
