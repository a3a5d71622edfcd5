// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Voucher files: a batch of vouchers as comma separated values, mistakes with their places.
//
//   sha256,amount,validity,ends
//   5e884898da28...,10.00EUR,30d,2027-12-31T23:59:59Z
//
// The header names the columns, in any order: `sha256` (the hash of a code, see voucher_code.hh) or
// `code`, which is hashed and forgotten; `amount`; and at most once each `validity` of what is put
// in ("30d"; empty: for ever) and `ends`, from when on nobody may redeem it (empty: never).
#pragma once

#include "control/import_file.hh"
#include "control/store.hh"

namespace tollgate::control {

struct VoucherFile {
  std::vector<VoucherRow> vouchers;
  std::vector<u64> lines;  // where they stand
  std::vector<ImportMistake> mistakes;
};

inline constexpr std::size_t vouchers_per_file_max = 100'000;

// Reads the whole text; any octets may be given. Mistakes beyond the first hundred are left out.
VoucherFile read_vouchers(std::string_view text, std::string_view batch);

}  // namespace tollgate::control
