// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The names of AVPs for normalising rules: the dictionary of diameter/, told to rating/.
#pragma once

#include "rating/normalise_compile.hh"

namespace tollgate::app {

class DictionaryNames final : public rating::AvpNames {
 public:
  bool find(std::string_view name, rating::AvpPlace place, rating::AvpName& found) const override;
  std::string nearest(std::string_view name) const override;
};

}  // namespace tollgate::app
