// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Versions of the tariff: what was loaded, so that it can be loaded again whatever became of its
// files, and what waits for its moment.
//
// The database keeps the texts of the last versions. A roll-back puts the version before the
// present one into force; an activation puts one into force that was checked when it was given and
// has waited since. Both stay in force over a restart, until an operator loads files again.
#pragma once

#include "control/context.hh"

namespace tollgate::control {

class TariffVersions {
 public:
  explicit TariffVersions(Context& context) : context_(context) {}

  // What was loaded just now, and from where.
  void remember(const std::vector<std::string>& paths,
                const std::vector<rating::TariffText>& texts);

  Json list() const;  // {"versions":[{"number","time","paths","in_force"}],"waiting":{...}}

  // Puts the version before the present one into force. Throws Refused if there is none.
  void roll_back();

  // Checks the files now and puts them into force then; one tariff waits at a time, null as `at`
  // takes it away. Throws Refused, with all mistakes.
  void schedule(const std::vector<std::string>& paths, Instant at);
  void unschedule();

  // In housekeeping: puts into force what is due.
  void step(Instant now);

  // At start: what a roll-back or an activation put into force. Empty: the files count.
  std::vector<rating::TariffText> pinned() const;
  void restore_activation();

 private:
  std::vector<rating::TariffText> texts_of(u64 number) const;
  void put_in_force(const std::vector<rating::TariffText>& texts);

  Context& context_;
};

}  // namespace tollgate::control
