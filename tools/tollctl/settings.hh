// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Settings: which appliance is meant, from --config FILE or --socket PATH.
#pragma once

#include <string>

namespace tollgate::tollctl {

struct Settings {
  std::string socket_path;     // empty: nobody said which appliance
  std::string journal_folder;  // these two are known with --config only
  std::string cdr_folder;
};

// Reads the few keys of the appliance's configuration that tollctl needs, and gives the operator's
// units their names; relative paths are relative to the file. Returns an empty text, or what is
// wrong with file, line and column.
[[nodiscard]] std::string read_config(const std::string& path, Settings& settings);

}  // namespace tollgate::tollctl
