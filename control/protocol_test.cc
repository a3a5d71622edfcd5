// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/protocol.hh"

#include <gtest/gtest.h>

#include <random>

namespace tollgate::control {
namespace {

TEST(ProtocolTest, ReadsARequest) {
  Request request;
  EXPECT_EQ(parse_request(R"({"id":7,"verb":"stats","args":{"a":["x"]}})", request), "");
  EXPECT_EQ(request.id, 7U);
  EXPECT_EQ(request.verb, "stats");
  EXPECT_EQ(Arguments(request.args).texts("a"), std::vector<std::string>{"x"});
  EXPECT_EQ(parse_request(R"({"verb":"stats"})", request), "");
  EXPECT_TRUE(request.args.is_object());
}

TEST(ProtocolTest, TellsWhatIsWrong) {
  struct Row {
    const char* line;
    const char* told;
  };
  for (const Row& row :
       {Row{"", "one JSON object"}, Row{"[]", "one JSON object"}, Row{"{", "one JSON object"},
        Row{R"({"id":-1,"verb":"x"})", "'id'"}, Row{R"({"id":1})", "'verb'"},
        Row{R"({"verb":5})", "'verb'"}, Row{R"({"verb":"x","args":3})", "'args'"},
        Row{R"({"verb":"x"} more)", "one JSON object"}}) {
    Request request;
    EXPECT_NE(parse_request(row.line, request).find(row.told), std::string::npos) << row.line;
  }
  EXPECT_THROW(Arguments(Json{{"n", "x"}}).number_or("n", 1), Refused);
  EXPECT_THROW(Arguments(Json{{"n", 1}}).text("n"), Refused);
  EXPECT_THROW(Arguments(Json{{"n", Json::array({1})}}).texts("n"), Refused);
}

TEST(ProtocolTest, DeepNestingIsRefused) {
  EXPECT_TRUE(parse_json(std::string(30, '[') + std::string(30, ']')));
  EXPECT_FALSE(parse_json(std::string(500'000, '[')));
  EXPECT_TRUE(parse_json(R"({"text":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[[["})"));
}

TEST(ProtocolTest, LinesAreCutWhereverTheyArrive) {
  const std::string text = "one\n\ntwo\nthree";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    LineBuffer buffer;
    std::vector<std::string> lines;
    std::string line;
    for (const std::string& piece : {text.substr(0, cut), text.substr(cut)}) {
      buffer.append(piece);
      while (buffer.next(line)) lines.push_back(line);
    }
    EXPECT_EQ(lines, (std::vector<std::string>{"one", "", "two"})) << cut;
  }
  LineBuffer buffer;
  buffer.append(std::string(request_bytes_max + 1, 'x'));
  EXPECT_TRUE(buffer.is_overflowing());
}

TEST(ProtocolTest, NoOctetsHarmTheReader) {
  std::mt19937 random(7);
  const std::string seed = R"({"id":7,"verb":"account.add","args":{"identities":["a",null,1e9]}})";
  for (int round = 0; round < 20'000; ++round) {
    std::string line = seed;
    for (int i = 0; i < 1 + round % 5; ++i) {
      const std::size_t at = random() % line.size();
      if (random() % 3 == 0) line.erase(at, 1 + random() % 4);
      if (line.empty()) line = "x";
      line[random() % line.size()] = static_cast<char>(random());
    }
    Request request;
    const std::string why = parse_request(line, request);
    if (why.empty()) {
      EXPECT_FALSE(to_line(request.args).empty());
    }
  }
}

TEST(ProtocolTest, AnswersAreOneLineWhateverIsInThem) {
  std::string sent;
  const Reply reply(3, [&](const Json& line) { sent = to_line(line); });
  reply.ok(Json{{"session_id", "a\nb\xff\x01"}});
  EXPECT_EQ(sent.find('\n'), std::string::npos);
  EXPECT_TRUE(parse_json(sent));
  reply.refuse("too_busy", "later", Json{{"more", 1}});
  EXPECT_EQ(sent, R"({"id":3,"ok":false,"outcome":"too_busy","message":"later","more":1})");
}

}  // namespace
}  // namespace tollgate::control
