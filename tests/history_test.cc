// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// What charging wrote into the journal, told again as the history of an account.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "app/charge_table.hh"
#include "control/history_search.hh"
#include "ledger/journal_segments.hh"

namespace tollgate {
namespace {

using control::BucketChange;
using control::BucketContent;
using control::HistoryEvent;
using control::HistorySearch;

std::string text_of(const BucketContent& content, Unit unit) {
  return fmt::format("{}/{}/{}", to_decimal(content.balance, unit),
                     to_decimal(content.reserved, unit), to_decimal(content.consumed, unit));
}

std::string text_of(const HistoryEvent& event) {
  std::string text =
      event.kind == ledger::EntryKind::command
          ? fmt::format("command {}", static_cast<int>(event.command))
          : fmt::format("{} {} {}", event.session_id, event.request_type, event.request_number);
  for (const BucketChange& change : event.changes) {
    text +=
        fmt::format(" {}->{}", change.is_before_known ? text_of(change.before, change.unit) : "?",
                    text_of(change.after, change.unit));
  }
  return text + (event.cdr_sequence != 0 ? " cdr" : "");
}

class HistoryTest : public testing::Test {
 protected:
  HistoryTest() {
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
    folder_.path = path_;
    folder_.segment_bytes = 1_MiB;
    EXPECT_EQ(folder_.open_or_create(), "");
    folder_.appliance = 1;  // as the rig's groups say
  }
  ~HistoryTest() override { std::filesystem::remove_all(path_); }

  void run(const std::string& table) {
    EXPECT_EQ(table_.run("tariff config/tariffs\n" + table), "");
  }

  // Writes the groups into segments of at most so many groups.
  void write_journal(u64 groups_per_segment) {
    const auto& groups = table_.rig().groups();
    u64 number = 0;
    u64 offset = 0;
    int fd = -1;
    for (u64 i = 0; i < groups.size(); ++i) {
      if (i % groups_per_segment == 0) {
        if (fd >= 0) ::close(fd);
        ASSERT_EQ(ledger::make_segment(folder_, 0, ++number), "");
        fd = ::open(ledger::segment_path(path_, 0, number).c_str(), O_WRONLY);
        offset = page_bytes;
      }
      const auto bytes = static_cast<ssize_t>(groups[i].size());
      ASSERT_EQ(::pwrite(fd, groups[i].data(), groups[i].size(), static_cast<off_t>(offset)),
                bytes);
      offset += groups[i].size();
    }
    if (fd >= 0) ::close(fd);
    ASSERT_EQ(ledger::make_segment(folder_, 0, number + 1), "");  // made ahead
  }

  std::string history(u64 account_id, ledger::AccountRef place, u64 limit = 50) {
    HistorySearch search(folder_, ledger::LedgerView(table_.rig().memory()),
                         {.account_id = account_id, .place = place, .limit = limit},
                         {table_.rig().groups().size()});
    while (search.step()) {
    }
    if (!search.error().empty()) return search.error();
    std::string text;
    for (const HistoryEvent& event : search.events()) text += text_of(event) + "\n";
    return text + (search.is_complete() ? "complete" : "more");
  }

  std::string path_ = "/tmp/tollgate-history-XXXXXX";
  ledger::JournalFolder folder_;
  app::ChargeTable table_;
};

constexpr const char* day = R"(
    account A plan prepaid balance 10.00EUR
    account B plan prepaid balance 10.00EUR
    initial S1 A data rg 10 ask 10MiB            -> 2001 grant 10MiB
    initial S2 B data rg 10 ask 10MiB            -> 2001 grant 10MiB
    update  S1   rg 10 used 3MiB ask 10MiB       -> 2001 grant 10MiB
    top-up A 5.00EUR                             -> ok balance 13.66EUR
    update  S2   rg 10 used 1MiB ask 1MiB        -> 2001 grant 1MiB
    terminate S1 rg 10 used 1MiB                 -> 2001
    event E1 A sms debit ask 1event              -> 2001 grant 1event cost 0.10EUR
    initial S3 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    transfer A B 2.00EUR                         -> ok balance 12.38EUR
)";

constexpr const char* day_of_a =
    "command 1 0.00/0.00/0.00->10.00/0.00/0.00\n"
    "S1 1 0 10.00/0.00/0.00->8.97/1.03/0.00 cdr\n"
    "S1 2 1 8.97/1.03/0.00->8.66/1.03/0.31 cdr\n"
    "command 5 8.66/1.03/0.31->13.66/1.03/0.31\n"
    "S1 3 2 13.66/1.03/0.31->14.59/0.00/0.41 cdr\n"
    "E1 4 0 14.59/0.00/0.41->14.49/0.00/0.51 cdr\n"
    "S3 1 0 14.49/0.00/0.51->14.38/0.11/0.51\n"
    "command 7 14.38/0.11/0.51->12.38/0.11/0.51\n";

TEST_F(HistoryTest, EveryChangeWithItsCause) {
  run(day);
  write_journal(1000);
  EXPECT_EQ(history(1, ledger::AccountRef::make(0, 1)), std::string(day_of_a) + "complete");
  EXPECT_EQ(history(2, ledger::AccountRef::make(0, 2)),
            "command 1 0.00/0.00/0.00->10.00/0.00/0.00\n"
            "S2 1 0 10.00/0.00/0.00->8.97/1.03/0.00\n"
            "S2 2 1 8.97/1.03/0.00->9.79/0.10/0.11\n"
            "command 7 9.79/0.10/0.11->11.79/0.10/0.11\n"
            "complete");
}

// The latest first: older segments are only read for what the latest do not tell.
TEST_F(HistoryTest, ManySegmentsAndALimit) {
  run(day);
  write_journal(2);
  EXPECT_EQ(history(1, ledger::AccountRef::make(0, 1)), std::string(day_of_a) + "complete");
  EXPECT_EQ(history(1, ledger::AccountRef::make(0, 1), 2),
            "S3 1 0 14.49/0.00/0.51->14.38/0.11/0.51\n"
            "command 7 14.38/0.11/0.51->12.38/0.11/0.51\n"
            "more");
}

// Segments that were given back are not there to be told of: what came before is not known.
TEST_F(HistoryTest, TheJournalBeginsLater) {
  run(day);
  write_journal(2);
  std::filesystem::remove(ledger::segment_path(path_, 0, 1));
  std::filesystem::remove(ledger::segment_path(path_, 0, 2));
  const std::string told = history(1, ledger::AccountRef::make(0, 1));
  EXPECT_EQ(told.substr(0, told.find('\n')), "S1 2 1 ?->8.66/1.03/0.31 cdr");
}

TEST_F(HistoryTest, OfAnotherAccountInTheSamePlaceNothingIsTold) {
  run(R"(
    account A plan prepaid balance 1.00EUR
    event E1 A sms debit                         -> 2001 grant 1event cost 0.10EUR
    remove A                                     -> ok
    account B plan prepaid balance 2.00EUR
    event E2 B sms debit                         -> 2001 grant 1event cost 0.10EUR
  )");
  write_journal(100);
  EXPECT_EQ(history(2, ledger::AccountRef::make(0, 1)),
            "command 1 0.00/0.00/0.00->2.00/0.00/0.00\n"
            "E2 4 0 2.00/0.00/0.00->1.90/0.00/0.10 cdr\n"
            "complete");
}

TEST_F(HistoryTest, TransfersAndTimers) {
  run(R"(
    account A plan prepaid balance 1.00EUR
    account C plan prepaid balance 1.00EUR shard 5
    initial S1 A data rg 10 ask 1MiB             -> 2001 grant 1MiB
    wait 3h
    transfer A C 0.50EUR id 7                    -> ok in transit balance 0.50EUR
    receive C 0.50EUR id 7                       -> ok balance 1.50EUR
    settle A id 7                                -> ok
    forget C id 7                                -> ok
  )");
  write_journal(100);
  EXPECT_EQ(history(1, ledger::AccountRef::make(0, 1)),
            "command 1 0.00/0.00/0.00->1.00/0.00/0.00\n"
            "S1 1 0 1.00/0.00/0.00->0.89/0.11/0.00 cdr\n"
            "S1 0 0 0.89/0.11/0.00->1.00/0.00/0.00 cdr\n"
            "command 7 0.00/0.00/0.00->0.50/0.00/0.00 1.00/0.00/0.00->0.50/0.00/0.00\n"
            "command 13 0.50/0.00/0.00->0.00/0.00/0.00\n"
            "complete");
}

}  // namespace
}  // namespace tollgate
