// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Quiet: has everything that was under way come to an end?
//
// It goes round in passes, and under load as well. A pass notes how far the links to the charge
// tiles were written and waits until all that has been taken; then the same for the links from
// charge to journal tiles, then for the groups that journal tiles had begun, and at last until the
// journal was read to its end. A command that was sent before a pass began has then left its mark
// in the ledger and, if it changed anything, in the journal. What has none was never carried out.
#pragma once

#include <vector>

#include "control/appliance.hh"

namespace tollgate::control {

class Quiet {
 public:
  explicit Quiet(const Appliance& appliance);

  // Call it often. `journal_is_read`: the reader of the journal stands at its durable end now.
  void step(bool journal_is_read);

  // A mark for what is under way now, and whether a whole pass began and ended since it was taken.
  u64 mark() const { return pass_count_; }
  bool is_over(u64 mark) const { return pass_count_ >= mark + 2; }

 private:
  enum class Stage : u8 { commands, entries, groups, reading };
  struct Mark {
    const LinkMemory* link;
    u64 tail;
  };
  void note_links(std::string_view producer, std::string_view consumer);
  bool links_are_past() const;
  void note_groups();
  bool groups_are_past() const;

  const Appliance& appliance_;
  Stage stage_ = Stage::commands;
  std::vector<Mark> links_;
  std::vector<u64> groups_;  // by stream: begun
  u64 pass_count_ = 0;
};

}  // namespace tollgate::control
