// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What an import says about its mistakes: file, then "line:column words" for each of them.

#include "control/import_file.hh"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <random>

#include "control/fake_appliance.hh"
#include "control/import.hh"

namespace tollgate::control {
namespace {

struct Expected {
  u64 line;
  u32 column;
  const char* words;
};
struct Row {
  const char* name;
  std::string csv;
  std::vector<Expected> mistakes;
};

class ImportTest : public testing::Test {
 protected:
  static constexpr const char* header = "account,msisdn,imsi,plan,balance\n";

  void SetUp() override {
    blob_memory_.resize(VersionedBlob::footprint(1_MiB) / 8);
    blob_ = VersionedBlob::format(blob_memory_.data(), 1_MiB);
    ASSERT_TRUE(tariffs_.load(appliance_.options().tariff_paths, *blob_).is_good());
    store_ = std::make_unique<Store>(appliance_.folder() + "/p.db");
  }
  void TearDown() override { store_.reset(); }

  ImportFile check(const std::string& csv) {
    ImportFile file(csv);
    if (!file.has_columns()) return file;
    ImportCheck check(file, tariffs_, *store_);
    while (check.step()) {
    }
    row_count_ = check.row_count();
    there_already_ = check.there_already_count();
    return file;
  }

  FakeAppliance appliance_;
  std::vector<u64> blob_memory_;
  VersionedBlob* blob_ = nullptr;
  Tariffs tariffs_;
  std::unique_ptr<Store> store_;
  u64 row_count_ = 0;
  u64 there_already_ = 0;
};

TEST_F(ImportTest, EveryMistakeHasItsPlace) {
  const std::string h = header;
  const std::vector<Row> rows = {
      {"good", h + "anna,4670,24001,prepaid,10.00EUR\nberta,,24002,pack,\n", {}},
      {"carriage returns, quotes, empty lines",
       "\xef\xbb\xbf"
       "account,identity,plan\r\n\r\n\"anna\",\"sip:a\"\"b@x\",prepaid\r\n",
       {}},
      {"empty", "", {{1, 1, "the file is empty"}}},
      {"header", "account,phone,plan\n", {{1, 9, "unknown column 'phone'"}}},
      {"header twice", "account,account,msisdn,plan\n", {{1, 9, "is there twice"}}},
      {"header short", "account,msisdn\n", {{1, 1, "no column for plan"}}},
      {"cells", h + "anna,4670,24001,prepaid\n", {{2, 24, "expected 5 cells"}}},
      {"cells more", h + "anna,4670,2400,prepaid,,x\n", {{2, 25, "expected 5 cells"}}},
      {"quote", h + "anna,\"4670,24001,prepaid,\n", {{2, 6, "not closed"}}},
      {"behind quote", h + "anna,\"4670\"x,24001,prepaid,\n", {{2, 6, "a comma after"}}},
      {"name", h + "an na,4670,,prepaid,\n", {{2, 1, "no account name"}}},
      {"number", h + "anna,46x70,,prepaid,\n", {{2, 6, "expected msisdn:DIGITS"}}},
      {"plan", h + "anna,4670,,gold,\n", {{2, 12, "no plan 'gold'"}}},
      {"amount", h + "anna,4670,,prepaid,ten\n", {{2, 20, "expected"}}},
      {"below zero", h + "anna,4670,,prepaid,-1.00EUR\n", {{2, 20, "zero or more"}}},
      {"nobody", h + "anna,,,prepaid,\n", {{2, 1, "at least one identity"}}},
      {"doubles",
       h + "anna,4670,,prepaid,\nberta,4671,,prepaid,\nanna,04,,prepaid,\ncarl,4671,,prepaid,\n",
       {{4, 1, "same account as in line 2"}, {5, 6, "same identity as in line 3"}}},
      {"several in one line",
       h + "an na,46x,,gold,ten\n",
       {{2, 1, "name"}, {2, 7, "identity"}, {2, 12, "plan"}, {2, 17, "expected"}}},
  };
  for (const Row& row : rows) {
    const ImportFile file = check(row.csv);
    const std::vector<ImportMistake> told = file.mistakes();
    ASSERT_EQ(told.size(), row.mistakes.size()) << row.name;
    for (std::size_t i = 0; i < told.size(); ++i) {
      EXPECT_EQ(told[i].line, row.mistakes[i].line) << row.name;
      EXPECT_EQ(told[i].column, row.mistakes[i].column) << row.name << ": " << told[i].message;
      EXPECT_NE(told[i].message.find(row.mistakes[i].words), std::string::npos)
          << row.name << ": " << told[i].message;
    }
  }
}

TEST_F(ImportTest, WhatIsThereAlreadyIsPassedOverOrRefused) {
  {
    Transaction transaction(store_->database());
    IdentityRow identity;
    ASSERT_EQ(ledger::parse_identity("msisdn:4670", identity.key, identity.text), "");
    const u64 id = store_->take_account_ids(1);
    store_->insert_pending({.id = id, .name = "anna", .plan = "prepaid"}, {identity});
    store_->set_active(id, ledger::AccountRef::make(0, 1));
    transaction.commit();
  }
  const std::string h = header;
  EXPECT_EQ(check(h + "anna,4670,,prepaid,5.00EUR\nberta,4671,,prepaid,\n").mistake_count(), 0U);
  EXPECT_EQ(row_count_, 2U);
  EXPECT_EQ(there_already_, 1U);
  EXPECT_EQ(check(h + "anna,4670,,pack,\n").mistakes()[0].column, 1U);
  EXPECT_EQ(check(h + "anna,4670,2400,prepaid,\n").mistakes()[0].column, 1U);
  const auto taken = check(h + "berta,4670,,prepaid,\n").mistakes();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].column, 7U);
  EXPECT_NE(taken[0].message.find("belongs to account 'anna'"), std::string::npos);
}

TEST_F(ImportTest, ManyMistakesAreCountedAndTheFirstAreTold) {
  std::string csv = header;
  for (int i = 0; i < 5000; ++i) csv += "a b,,,gold,x\n";
  const ImportFile file = check(csv);
  EXPECT_GE(file.mistake_count(), 20'000U);
  EXPECT_EQ(file.mistakes().size(), 100U);
  EXPECT_EQ(file.mistakes()[0].line, 2U);
}

TEST_F(ImportTest, NoOctetsHarmTheReader) {
  std::mt19937 random(11);
  const std::string seed = std::string(header) + "anna,4670,24001,prepaid,10.00EUR\n\"b\",1,,x,\n";
  for (int round = 0; round < 3000; ++round) {
    std::string csv = seed;
    for (int i = 0; i < 1 + round % 6; ++i) {
      csv[random() % csv.size()] = "\",\n\r:a0\xff"[random() % 8];
    }
    const ImportFile file = check(csv);
    EXPECT_LE(file.mistakes().size(), 100U);
  }
}

}  // namespace
}  // namespace tollgate::control
