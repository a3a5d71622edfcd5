// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Charging records exactly once, with a crash after every step that there is.

#include "control/cdr_writer.hh"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "control/cdr_task.hh"
#include "control/fake_journal.hh"
#include "rating/charge_event.hh"
#include "rating/number.hh"

namespace tollgate::control {
namespace {

struct Crash {};

class CdrTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = "/tmp/tollgate-cdr-XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  CdrWriter::Options options(const FakeJournal& journal) const {
    return {.folder = folder_ + "/cdr",
            .name = "test",
            .rotation_bytes = 1500,
            .rotation_time = Duration::seconds(60),
            .journal_id = journal.folder().appliance,
            .reached = nullptr};
  }
  static CdrNames names() {
    return {.account = [members = std::string()](u64 id) mutable -> std::string_view {
              members = fmt::format(R"("account":"a{}","identities":["msisdn:1"])", id);
              return members;
            },
            .plan = [](u32) { return std::string("prepaid"); },
            .product = [](u32 id) { return fmt::format("p{}", id); },
            .zone = [](u32) { return std::string("nordic"); },
            .service_context = [](u64) { return std::string("32251@3gpp.org"); },
            .origin_host = [](u64) { return std::string(); }};
  }
  // Reads all there is, as one run of control does, until `crash_after` steps were reached.
  // Returns false if it crashed.
  bool run(const FakeJournal& journal, int crash_after, bool ends_with_checkpoint = false) {
    int steps = 0;
    CdrWriter::Options writer_options = options(journal);
    writer_options.reached = [&](std::string_view) {
      if (++steps == crash_after) throw Crash{};
    };
    try {
      CdrWriter writer(writer_options, Instant::from_seconds(1));
      const std::vector<const std::atomic<u64>*> durable(journal.folder().stream_count, nullptr);
      CdrWriter::Options event_options = writer_options;
      event_options.folder = folder_ + "/events";
      CdrWriter events(event_options, Instant::from_seconds(1));
      CdrTask task(journal.folder(), writer, events, names(), durable);
      while (task.step(Instant::from_seconds(2))) {
      }
      task.step(Instant::from_seconds(2));
      if (ends_with_checkpoint) task.checkpoint();
    } catch (const Crash&) {
      return false;
    }
    return true;
  }
  // "shard/sequence" of every record in every file, in order of files.
  std::vector<std::string> records(const std::string& kind = "/cdr") const {
    std::vector<std::string> all;
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ + kind)) {
      if (entry.path().filename() != "checkpoint.json") files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    for (const std::string& path : files) {
      std::ifstream file(path);
      std::string line;
      while (std::getline(file, line)) {
        const auto json = parse_json(line);
        if (!json) {
          all.push_back("torn");
          continue;
        }
        const Json& at = (*json)["journal"];
        all.push_back(to_line(at["shard"]) + "/" + to_line(at["sequence"]));
      }
    }
    return all;
  }
  static std::vector<std::string> sorted(std::vector<std::string> all) {
    std::sort(all.begin(), all.end());
    return all;
  }

  std::string folder_;
};

TEST_F(CdrTest, ARecordHasAllItsMembers) {
  FakeJournal journal(folder_ + "/journal", 1);
  journal.write_group(0, {journal.charging_entry(5, "host;1;2", 77)});
  ASSERT_TRUE(run(journal, 0));
  std::ifstream file(folder_ + "/cdr/test-00000001.jsonl.open");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  EXPECT_EQ(line,
            R"({"account":"a77","identities":["msisdn:1"],"account_id":77,"plan":"prepaid",)"
            R"("session_id":"host;1;2","origin_host":null,"service_context":"32251@3gpp.org",)"
            R"("type":"session","started":"2026-11-22T01:25:09.000Z",)"
            R"("ended":"2026-11-22T01:26:09.000Z","cause":"normal_release","services":[)"
            R"({"rating_group":10,"service_identifier":null,"unit":"octets","used":"1048576",)"
            R"("input_octets":0,"output_octets":0,"seconds":0,"events":0,"cost":"1.10",)"
            R"("currency":"EUR"}],"journal":{"stream":0,"shard":5,"sequence":1}})");
}

template <class Record>
void append_octets(std::vector<u8>& all, const Record& record) {
  const auto* first = reinterpret_cast<const u8*>(&record);
  all.insert(all.end(), first, first + sizeof record);
}

TEST_F(CdrTest, ARecordSaysWhichDirectionCounted) {
  ChargingRecord record;
  record.services = {{.kind = ledger::UnitKind::input_octets, .used = {7}},
                     {.kind = ledger::UnitKind::output_octets, .used = {8}},
                     {.kind = ledger::UnitKind::octets, .used = {9}}};
  const auto told = parse_json(to_line(record, names()));
  ASSERT_TRUE(told.has_value());
  std::string parts;
  for (const Json& service : (*told)["services"]) {
    parts += service.value("part", "both") + " " + service["used"].get<std::string>() +
             service["unit"].get<std::string>() + "\n";
  }
  EXPECT_EQ(parts, "upload 7octets\ndownload 8octets\nboth 9octets\n");
}

TEST_F(CdrTest, ARecordSaysByWhatItsPriceWasFound) {
  ledger::ChargingData data{.account_id = 7, .plan = 1, .session_id_bytes = 8};
  data.extras = ledger::charging_extra::products | ledger::charging_extra::numbers;
  const std::array<u32, ledger::products_per_account_max> products = {3, 9, 0, 0};
  ledger::SessionNumbers numbers;
  numbers.origin = rating::number_key("46701234567") |
                   u64{rating::way_of(rating::Direction::originating, rating::Location::roaming)}
                       << ledger::SessionNumbers::number_bits;
  numbers.destination = rating::number_key("4790000000");
  numbers.network = rating::short_number(rating::number_key("24001"));
  numbers.zone = 5;
  std::vector<u8> note;
  append_octets(note, data);
  append_octets(note, products);
  append_octets(note, numbers);
  for (const char c : std::string("gw;1;2;3")) note.push_back(static_cast<u8>(c));
  ChargingRecord record;
  ASSERT_TRUE(read_charging_note(note, record));
  EXPECT_EQ(record.session_id, "gw;1;2;3");
  const auto told = parse_json(to_line(record, names()));
  ASSERT_TRUE(told.has_value());
  EXPECT_EQ(to_line((*told)["products"]), R"(["p3","p9"])");
  EXPECT_EQ(to_line((*told)["numbers"]),
            R"({"calling":"46701234567","called":"4790000000","network":"24001",)"
            R"("zone":"nordic","direction":"originating","location":"roaming"})");
  for (std::size_t bytes = 0; bytes < note.size(); ++bytes) {
    EXPECT_FALSE(read_charging_note(Bytes(note).first(bytes), record)) << bytes;
  }
}

// A turn that took a fee and a refund are lines beside the records of use; others are none.
TEST_F(CdrTest, FeesAndRefundsAreRecords) {
  FakeJournal journal(folder_ + "/journal", 1);
  ledger::Command command{.idempotency_key = 77, .kind = ledger::CommandKind::product_turn};
  command.shard = 5;
  command.plan = 3;
  command.bucket_count = 2;
  command.buckets[0] = {.amount = {1}, .product = 3, .unit = Unit::octets};
  command.buckets[1] = {.amount = {9'990'000}, .unit = Unit::eur, .role = ledger::BucketRole::fee};
  ledger::CommandAnswer answer{.kind = command.kind, .account_id = 12};
  std::vector<std::vector<u8>> entries = {journal.command_entry(command, answer)};
  answer.outcome = ledger::Outcome::credit_limit_reached;
  entries.push_back(journal.command_entry(command, answer));
  answer.outcome = ledger::Outcome::ok;
  command.bucket_count = 1;  // without a fee
  entries.push_back(journal.command_entry(command, answer));
  command.kind = ledger::CommandKind::top_up;
  entries.push_back(journal.command_entry(command, answer));
  command.kind = ledger::CommandKind::refund;
  command.buckets[0] = {.amount = {1'500'000}, .unit = Unit::eur};
  entries.push_back(journal.command_entry(command, answer));
  journal.write_group(0, entries);
  ASSERT_TRUE(run(journal, 0));
  std::ifstream file(folder_ + "/cdr/test-00000001.jsonl.open");
  std::vector<Json> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(*parse_json(line));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["type"], "fee");
  EXPECT_EQ(lines[0]["product"], "p3");
  EXPECT_EQ(lines[0]["account"], "a12");
  EXPECT_EQ(lines[0]["session_id"], "command;77");
  EXPECT_EQ(lines[0]["services"][0]["cost"], "9.99");
  EXPECT_EQ(lines[0]["services"][0]["currency"], "EUR");
  EXPECT_EQ(lines[1]["type"], "refund");
  EXPECT_EQ(lines[1]["services"][0]["cost"], "-1.50");
  EXPECT_EQ(lines[1]["journal"]["sequence"], 5);
}

// A Session-Id is whatever a client sends: the record is JSON all the same.
TEST_F(CdrTest, OddTextsAreStillJson) {
  const std::vector<std::string> odd = {"a\"b\\c;1", "tab\there;2", "gr\xc3\xbc\xc3\x9f;3",
                                        "not utf-8 \xff\xfe;4", std::string("zero\0;5", 7)};
  FakeJournal journal(folder_ + "/journal", 1);
  for (const std::string& session_id : odd) {
    journal.write_group(0, {journal.charging_entry(5, session_id, 77)});
  }
  ASSERT_TRUE(run(journal, 0));
  std::ifstream file(folder_ + "/cdr/test-00000001.jsonl");
  std::string line;
  for (const std::string& session_id : odd) {
    ASSERT_TRUE(std::getline(file, line));
    const auto record = parse_json(line);
    ASSERT_TRUE(record.has_value()) << line;
    EXPECT_EQ(to_line((*record)["session_id"]), to_line(Json(session_id)));
    EXPECT_EQ(to_line(*record), line) << "the same members in the same form";
  }
}

// A run that crashes after its 1st step, its 2nd... each time followed by runs that crash one step
// later each, until one comes through; more records arrive in between.
TEST_F(CdrTest, EachRecordOnceWhereverItCrashes) {
  for (int first_crash = 1; first_crash <= 16; ++first_crash) {
    for (const char* kind : {"/cdr", "/events", "/journal"}) {
      std::filesystem::remove_all(folder_ + kind);
    }
    FakeJournal journal(folder_ + "/journal", 2);
    std::vector<std::string> expected;
    std::vector<std::string> expected_events;
    std::map<u32, u64> sequence;
    const auto more = [&](int count) {
      for (int i = 0; i < count; ++i) {
        const u32 shard = static_cast<u32>(i * 7 % 64);
        const bool is_event = i % 3 == 1;
        journal.write_group(shard % 2, {is_event ? journal.threshold_entry(shard, 1)
                                                 : journal.charging_entry(shard, "s", 1)});
        (is_event ? expected_events : expected)
            .push_back(std::to_string(shard) + "/" + std::to_string(++sequence[shard]));
      }
    };
    more(13);
    for (int crash = first_crash; crash <= 16 && !run(journal, crash, true); ++crash) more(3);
    ASSERT_TRUE(run(journal, 0));
    EXPECT_EQ(sorted(records()), sorted(expected)) << "first crash after step " << first_crash;
    EXPECT_EQ(sorted(records("/events")), sorted(expected_events)) << first_crash;
  }
}

TEST_F(CdrTest, ATornLineIsCutAndWrittenAgain) {
  FakeJournal journal(folder_ + "/journal", 1);
  for (u32 i = 0; i < 3; ++i) journal.write_group(0, {journal.charging_entry(9, "s", i)});
  ASSERT_TRUE(run(journal, 0));
  const std::string path = folder_ + "/cdr/test-00000001.jsonl.open";
  const auto whole = std::filesystem::file_size(path);
  for (const u64 bytes : {whole - 1, whole - 30, whole / 3 + 1, u64{1}, u64{0}}) {
    std::filesystem::resize_file(path, bytes);
    ASSERT_TRUE(run(journal, 0));
    EXPECT_EQ(std::filesystem::file_size(path), whole);
    EXPECT_EQ(records(), (std::vector<std::string>{"9/1", "9/2", "9/3"})) << bytes;
  }
}

TEST_F(CdrTest, AnEntryThatIsTwiceInTheJournalIsOneRecord) {
  FakeJournal journal(folder_ + "/journal", 1);
  const auto entry = journal.charging_entry(1, "s", 1);
  journal.write_group(0, {entry, journal.charging_entry(1, "t", 1)});
  journal.write_group(0, {entry});
  ASSERT_TRUE(run(journal, 0));
  EXPECT_EQ(records(), (std::vector<std::string>{"1/1", "1/2"}));
}

TEST_F(CdrTest, FilesAreClosedBySizeAndByTime) {
  FakeJournal journal(folder_ + "/journal", 1);
  for (u32 i = 0; i < 4; ++i) journal.write_group(0, {journal.charging_entry(0, "s", i)});
  ASSERT_TRUE(run(journal, 0));  // over 1500 octets
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/cdr/test-00000001.jsonl"));
  CdrWriter writer(options(journal), Instant::from_seconds(100));
  writer.append({.shard = 0, .sequence = 5}, "{}");
  writer.flush(Instant::from_seconds(100), writer.positions());
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/cdr/test-00000002.jsonl.open"));
  writer.flush(Instant::from_seconds(159), writer.positions());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/cdr/test-00000002.jsonl"));
  writer.flush(Instant::from_seconds(160), writer.positions());
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/cdr/test-00000002.jsonl"));
  EXPECT_TRUE(writer.is_written({.shard = 0, .sequence = 5}));
}

TEST_F(CdrTest, AnotherJournalBeginsAnew) {
  {
    FakeJournal journal(folder_ + "/journal", 1);
    journal.write_group(0, {journal.charging_entry(1, "s", 1)});
    ASSERT_TRUE(run(journal, 0));
  }
  FakeJournal other(folder_ + "/other", 1);
  other.write_group(0, {other.charging_entry(1, "s", 1)});
  ASSERT_TRUE(run(other, 0));
  EXPECT_EQ(records(), (std::vector<std::string>{"1/1", "1/1"}));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/cdr/test-00000001.jsonl"));
}

// The journal behind a checkpoint may be gone: what the open file has is not asked for again.
TEST_F(CdrTest, ACheckpointStandsBehindTheRecordsOfTheOpenFile) {
  FakeJournal journal(folder_ + "/journal", 1);
  for (u32 i = 0; i < 2; ++i) journal.write_group(0, {journal.charging_entry(4, "s", i)});
  ASSERT_TRUE(run(journal, 0, true));
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/cdr/test-00000001.jsonl.open"));
  const CdrWriter writer(options(journal), Instant::from_seconds(3));
  ASSERT_EQ(writer.positions().size(), 1U);
  EXPECT_EQ(writer.positions()[0].next_sequence, 3U);
  EXPECT_TRUE(writer.is_written({.shard = 4, .sequence = 2}));
  journal.write_group(0, {journal.charging_entry(4, "s", 3)});
  ASSERT_TRUE(run(journal, 0));
  EXPECT_EQ(records(), (std::vector<std::string>{"4/1", "4/2", "4/3"}));
}

TEST_F(CdrTest, ADamagedCheckpointIsRefused) {
  FakeJournal journal(folder_ + "/journal", 1);
  ASSERT_TRUE(run(journal, 0));
  std::ofstream(folder_ + "/cdr/checkpoint.json") << "{\"written\":[1]}";
  EXPECT_THROW(run(journal, 0), FileError);
}

TEST_F(CdrTest, NotesOfAnyOctetsAreReadOrRefused) {
  std::vector<u8> note(sizeof(ledger::ChargingData) + 16, 0xff);
  ChargingRecord record;
  for (std::size_t size = 0; size <= note.size(); ++size) {
    EXPECT_FALSE(read_charging_note(Bytes(note).first(size), record)) << size;
  }
}

}  // namespace
}  // namespace tollgate::control
