// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "tools/tollload/options.hh"

#include <gtest/gtest.h>

#include <vector>

namespace tollgate::tollload {
namespace {

// The words of a command line, after the program's name.
Parsed parse(std::vector<const char*> words, Options& options, std::string& text) {
  words.insert(words.begin(), "tollload");
  return parse_options(static_cast<int>(words.size()), words.data(), options, text);
}

std::vector<const char*> good_words() {
  return {"--transport", "kernel",        "--to", "127.0.0.1", "--scenario",
          "mixed",       "--subscribers", "1000", "--seconds", "3"};
}

TEST(OptionsTest, ReadsAGoodLine) {
  Options options;
  std::string text;
  std::vector<const char*> words = good_words();
  for (const char* word : {"--connections", "4", "--rate", "500", "--first-msisdn", "46701000000"})
    words.push_back(word);
  ASSERT_EQ(parse(words, options, text), Parsed::run) << text;
  EXPECT_EQ(to_text(options.to), "127.0.0.1:3868");
  EXPECT_EQ(options.transport, TransportKind::kernel);
  EXPECT_EQ(options.mix, mix_mixed);
  EXPECT_EQ(options.rate_per_second, 500U);
  EXPECT_EQ(options.session_count, 1000U) << "one a subscriber";
  EXPECT_TRUE(options.identities.hosts_are_numbered);
  EXPECT_EQ(options.identities.first_msisdn, 46701000000U);
}

TEST(OptionsTest, SaysWhatIsWrong) {
  struct Row {
    std::vector<const char*> words;  // added to the good line
    const char* said;
  };
  const std::vector<Row> rows{
      {{"--window", "5", "--rate", "5"}, "--window excludes --rate"},
      {{"--connections", "0"}, "--connections"},
      {{"--connections", "2000"}, "at most as many as sessions"},
      {{"--sessions", "1001"}, "at most one a subscriber"},
      {{"--first-msisdn", "1234567"}, "9 to 15 digits"},
      {{"--first-msisdn", "46799999500"}, "stay below 100000000"},
      {{"--first-imsi", "1"}, "9 to 15 digits"},
      {{"--duplicates", "1001"}, "--duplicates"},
      {{"--used-octets", "2000000"}, "at most what is requested"},
      {{"--from", "198.18.1.x"}, "an address with its net"},
      {{"--rate", "many"}, "--rate"},
      {{"--colour", "blue"}, "--colour"},
  };
  for (const Row& row : rows) {
    Options options;
    std::string text;
    std::vector<const char*> words = good_words();
    words.insert(words.end(), row.words.begin(), row.words.end());
    EXPECT_EQ(parse(words, options, text), Parsed::wrong) << row.said;
    EXPECT_NE(text.find(row.said), std::string::npos) << text;
    EXPECT_TRUE(text.starts_with("tollload: ")) << text;
  }
}

TEST(OptionsTest, AsksForWhatIsMissing) {
  for (std::size_t i = 0; i < good_words().size(); i += 2) {
    std::vector<const char*> words = good_words();
    const std::string name = words[i];
    words.erase(words.begin() + static_cast<std::ptrdiff_t>(i),
                words.begin() + static_cast<std::ptrdiff_t>(i) + 2);
    Options options;
    std::string text;
    EXPECT_EQ(parse(words, options, text), Parsed::wrong);
    EXPECT_NE(text.find(name), std::string::npos) << text;
  }
  Options options;
  std::string text;
  std::vector<const char*> words = good_words();
  words[3] = "nowhere.example";
  EXPECT_EQ(parse(words, options, text), Parsed::wrong);
  EXPECT_NE(text.find("--to nowhere.example"), std::string::npos) << text;
  EXPECT_EQ(parse({"--help"}, options, text), Parsed::help);
}

}  // namespace
}  // namespace tollgate::tollload
